/** Sends a request that carries a key to where it was meant to go, and nowhere else. */
import { discard } from './answer-text.ts';
import type { FetchInit, FetchInput } from './repeatable.ts';

const REDIRECT_STATUSES = [301, 302, 303, 307, 308];

/** Rejects with `TypeError` when the server answers with a redirection, unless `redirect: 'manual'` asks for that answer. */
export async function fetchInPlace(
  send: typeof fetch,
  input: FetchInput,
  init: NonNullable<FetchInit>,
): Promise<Response> {
  // Some runtimes at the edge know no `error`, which would say the same.
  const response = await send(input, { ...init, redirect: 'manual' });
  // Browsers do not tell more of a redirection than that it is one.
  const isRedirect = response.type === 'opaqueredirect' || REDIRECT_STATUSES.includes(response.status);
  if (!isRedirect || init.redirect === 'manual') return response;
  await discard(response);
  throw new TypeError('the server answered with a redirection, which a request with a key does not follow');
}
