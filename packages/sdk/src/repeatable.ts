/** Tells which requests can be sent a second time: those whose body is still there after the first. */

export type FetchInput = Parameters<typeof fetch>[0];
export type FetchInit = Parameters<typeof fetch>[1];

/** Text, bytes, files and forms can be read again and again; a stream, and so a `Request` that carries a body, but once. */
export function isRepeatable(input: FetchInput, init: FetchInit): boolean {
  const body: unknown = init?.body ?? (input instanceof Request ? input.body : undefined);
  return (
    body === undefined ||
    body === null ||
    typeof body === 'string' ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof Blob ||
    body instanceof URLSearchParams ||
    body instanceof FormData
  );
}

/** The headers that `fetch` would send: those of `init` where it has any, else those of the `Request`. */
export function headersOf(input: FetchInput, init: FetchInit): Headers {
  return new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
}
