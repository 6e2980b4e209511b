/** Keeps what a provider streams, to be counted should the stream be cut off. Chunks must not change after. */

/** A longer stream is not counted, and charged at its hold. */
export const STREAMED_BYTES_MAX = 2 * 1_024 * 1_024;

export class StreamedBytes {
  #chunks: Buffer[] = [];
  #bytes = 0;

  keep(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= STREAMED_BYTES_MAX) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  /** `undefined` when it was too long. */
  whole(): Buffer | undefined {
    return this.#bytes <= STREAMED_BYTES_MAX ? Buffer.concat(this.#chunks) : undefined;
  }
}
