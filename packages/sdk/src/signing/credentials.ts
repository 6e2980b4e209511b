/** What a request is signed with: one shape for each scheme, with secrets that may be asked for anew each time. */

/** A value, or a function that is asked before each request, so that a rotated secret holds from the next one on. */
export type Supplied<Value> = Value | (() => Value | Promise<Value>);

/**
 * - `'2'`, Keyfold's own scheme. While the signing secret is rotated, `signingSecrets` are the old and the new one.
 * - `'1'`, only for servers and keys that still ask for it: sends the key as bearer, and does not cover method and path.
 * - `'rfc9421'`, the standard: with a signing secret, or with an Ed25519 key whose private half never leaves the client.
 */
export type SigningCredentials =
  | { readonly version: '2'; readonly keyId: string; readonly signingSecret: Supplied<string> }
  | { readonly version: '2'; readonly keyId: string; readonly signingSecrets: Supplied<readonly string[]> }
  | { readonly version: '1'; readonly apiKey: Supplied<string>; readonly signingSecret: Supplied<string> }
  | { readonly version: 'rfc9421'; readonly keyId: string; readonly signingSecret: Supplied<string> }
  | { readonly version: 'rfc9421'; readonly keyId: string; readonly privateKey: CryptoKey };

const SECRETS_MAX = 2;

export async function supply<Value extends string | readonly string[]>(
  source: Supplied<Value>,
): Promise<Value> {
  return typeof source === 'function' ? await source() : source;
}

/** Throws a `TypeError` where there are none, more than two, or one is empty. */
export async function supplySecrets(
  source: Supplied<string | readonly string[]>,
): Promise<readonly string[]> {
  const supplied = await supply(source);
  const secrets = typeof supplied === 'string' ? [supplied] : supplied;
  if (secrets.length === 0 || secrets.length > SECRETS_MAX || secrets.includes('')) {
    throw new TypeError('a request is signed with one signing secret, or with two while it is rotated');
  }
  return secrets;
}
