/** Sends a request with a key, whatever key it came with, and to no other server than the key's own. */
import { fetchInPlace } from './fetch-in-place.ts';
import { type FetchInit, type FetchInput, headersOf } from './repeatable.ts';

/** Where SDKs put the key that they were given. The gateway refuses two. */
const OTHER_KEY_HEADERS = ['x-api-key', 'x-goog-api-key'];

/** Rejects with `TypeError` when the request goes to another origin. Redirections are not followed. */
export async function sendWithKey(
  input: FetchInput,
  init: FetchInit,
  of: { readonly key: string; readonly origin: string; readonly fetch: typeof fetch | undefined },
): Promise<Response> {
  const { fetch: send = (...request) => globalThis.fetch(...request) } = of;
  const url = input instanceof Request ? input.url : String(input);
  if (!URL.canParse(url) || new URL(url).origin !== of.origin) {
    throw new TypeError(`this key is for ${of.origin} alone`);
  }
  const headers = headersOf(input, init);
  for (const name of OTHER_KEY_HEADERS) headers.delete(name);
  headers.set('authorization', `Bearer ${of.key}`);
  return fetchInPlace(send, input, { ...init, headers });
}
