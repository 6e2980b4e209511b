/** Reads the text of an answer under a cap, so that no server can fill the memory of its client. */

/** Throws `RangeError` when the body is longer. The rest is not read. */
export async function readText(response: Response, bytesMax: number): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > bytesMax) {
      await reader.cancel();
      throw new RangeError(`the answer is longer than ${bytesMax} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Lets go of an answer that nobody will read, so that its connection can be used again. */
export async function discard(response: Response): Promise<void> {
  // A body that broke off needs no letting go.
  await response.body?.cancel().catch(() => undefined);
}
