/** Settles what `fetch` would make of its arguments (method, headers, the body's bytes), so that it can be signed. */

export type FetchInput = Parameters<typeof fetch>[0];
export type FetchInit = NonNullable<Parameters<typeof fetch>[1]>;

/** A request that can be sent any number of times, each time with the same bytes. */
export interface SettledRequest {
  /** Absolute. */
  readonly url: URL;
  readonly method: string;
  /** With the content type that `fetch` would have derived from the body. */
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly redirect: string | undefined;
  /** Everything else that was asked of `fetch`: signal, credentials, what a runtime adds. */
  readonly rest: FetchInit;
}

/** The whole body is in memory before it is signed; a longer one is refused. */
export const SIGNED_BODY_BYTES_MAX = 64 * 1024 * 1024;

/** What a `Request` carries besides what is settled here. */
const CARRIED = [
  'cache',
  'credentials',
  'integrity',
  'keepalive',
  'mode',
  'referrer',
  'referrerPolicy',
  'signal',
] as const satisfies readonly (keyof Request & keyof FetchInit)[];

/** Reads a body that is a stream to its end. Rejects as `fetch` does, with the signal's reason when that aborts. */
export async function readRequest(input: FetchInput, init: FetchInit = {}): Promise<SettledRequest> {
  const given = input instanceof Request ? input : undefined;
  const signal = init.signal === undefined ? given?.signal : init.signal;
  // A `Request` resolves a relative URL and knows which methods are written in capitals.
  const { url, method } = new Request(given?.url ?? input, { method: init.method ?? given?.method ?? 'GET' });
  const headers = new Headers(init.headers ?? given?.headers);
  const body = new Response(init.body ?? (await bodyOf(given)));
  const contentType = body.headers.get('content-type');
  if (contentType !== null && !headers.has('content-type')) headers.set('content-type', contentType);
  return {
    url: new URL(url),
    method,
    headers,
    body: await readBytes(body.body, signal ?? undefined),
    redirect: init.redirect ?? given?.redirect,
    rest: { ...carriedBy(given), ...init },
  };
}

/** Not every browser gives a request's body as a stream. */
async function bodyOf(request: Request | undefined): Promise<FetchInit['body']> {
  if (request === undefined || request.body === null) return null;
  return request.body ?? (await request.arrayBuffer());
}

async function readBytes(
  stream: ReadableStream<unknown> | null,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
  const leave = () => void reader.cancel(signal?.reason).catch(() => undefined);
  signal?.addEventListener('abort', leave, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (!(next.value instanceof Uint8Array)) throw new TypeError('a body is made of bytes');
      length += next.value.length;
      if (length > SIGNED_BODY_BYTES_MAX) {
        throw new RangeError(`a signed request has a body of at most ${SIGNED_BODY_BYTES_MAX} bytes`);
      }
      chunks.push(next.value);
    }
    signal?.throwIfAborted();
    return join(chunks, length);
  } finally {
    signal?.removeEventListener('abort', leave);
    // Lets go of a stream that was not read to its end.
    leave();
  }
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}

/** Leaves out what a runtime does not know. */
function carriedBy(request: Request | undefined): FetchInit {
  if (request === undefined) return {};
  return Object.fromEntries(
    CARRIED.map((name) => [name, request[name]] as const).filter(([, value]) => value !== undefined),
  );
}
