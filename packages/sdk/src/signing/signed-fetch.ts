/** A `fetch` that signs each request: drop-in for the vendors' SDKs, which take one as an option. */
import { ClockCorrection } from './clock-correction.ts';
import type { SigningCredentials } from './credentials.ts';
import { type SettledRequest, readRequest } from './read-request.ts';
import { type SignOptions, signRequest } from './sign-request.ts';

export type SignedFetchOptions = SigningCredentials &
  SignOptions & {
    /** What sends the requests; the runtime's own where it is not given. */
    readonly fetch?: typeof fetch;
  };

/** Where the vendors' SDKs put a key, what another signer may have left, and a host that is not the URL's. */
const REPLACED_HEADERS = [
  'authorization',
  'x-api-key',
  'x-goog-api-key',
  'host',
  'x-signature-version',
  'x-key-id',
  'x-timestamp',
  'x-nonce',
  'x-signature',
  'content-digest',
  'signature-input',
  'signature',
];

/**
 * Example: `new OpenAI({ baseURL, apiKey: 'unused', fetch: signedFetch({ version: '2', keyId, signingSecret }) })`.
 *
 * The body is read into memory first, so that the bytes that are signed are the bytes that are sent. Each call has its
 * own time and nonce, so an SDK's repetitions are new requests. A request that is refused because the client's clock is
 * wrong is signed again by the server's time, once. A redirect is an error, as with `redirect: 'error'`, unless
 * `'manual'` is asked for: a signed request goes to the server that it was signed for.
 */
export function signedFetch(options: SignedFetchOptions): typeof fetch {
  const { nowMs, randomNonce } = options;
  const clock = new ClockCorrection(nowMs);
  const send = async (request: SettledRequest) => {
    const signature = await signRequest(request, options, { nowMs: () => clock.nowMs(), randomNonce });
    const headers = new Headers(request.headers);
    for (const name of REPLACED_HEADERS) headers.delete(name);
    for (const [name, value] of Object.entries(signature)) headers.set(name, value);
    const { url, method, body, rest } = request;
    const sendUnsigned = options.fetch ?? fetch;
    const response = await sendUnsigned(url.href, {
      ...rest,
      method,
      headers,
      body: body.length === 0 ? null : body,
      // Some runtimes at the edge refuse `error`, so redirects are told by the answer.
      redirect: 'manual',
    });
    return request.redirect === 'manual' ? response : refuseRedirect(response);
  };
  return async (input, init) => {
    const request = await readRequest(input, init);
    const { offsetMs } = clock;
    const response = await send(request);
    if (!clock.learnFrom(response, offsetMs)) return response;
    await response.body?.cancel();
    return send(request);
  };
}

const REDIRECT_STATUSES = [301, 302, 303, 307, 308];

/** Browsers do not tell more of a redirect than that it is one. */
async function refuseRedirect(response: Response): Promise<Response> {
  if (response.type !== 'opaqueredirect' && !REDIRECT_STATUSES.includes(response.status)) return response;
  await response.body?.cancel();
  throw new TypeError('the server answered a signed request with a redirect, which is not followed');
}
