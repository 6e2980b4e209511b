/** Test support: requests signed with nothing but node:crypto, by each scheme. */
import assert from 'node:assert/strict';
import {
  type KeyObject,
  createHash,
  createHmac,
  generateKeyPairSync,
  randomBytes,
  sign as signWith,
} from 'node:crypto';
import { textAt } from '../control/support.ts';
import type { TestKeyfold } from '../keyfold.ts';

export const SCHEMES = ['v1', 'v2', 'rfc9421 hmac', 'rfc9421 ed25519'] as const;
export type Scheme = (typeof SCHEMES)[number];

export const VERSION_OF = {
  v1: '1',
  v2: '2',
  'rfc9421 hmac': 'rfc9421',
  'rfc9421 ed25519': 'rfc9421',
} as const;

export const CHAT = '/v1/chat/completions';

/** A key and all that signs for it. */
export interface Signer {
  readonly scheme: Scheme;
  readonly id: string;
  readonly apiKey: string;
  /** Empty where a private key signs. */
  readonly secret: string;
  readonly privateKey: KeyObject | undefined;
}

/** What is signed. */
export interface Draft {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Without its `?`. */
  readonly query: string;
  readonly contentType: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: string | Buffer;
  readonly timestamp: string;
  readonly nonce: string;
  /** RFC 9421: what is covered, as it is spelled, where it is not just what must be. */
  readonly components?: readonly string[];
  /** RFC 9421: parameters as they are spelled, which replace or follow the usual ones; `undefined` leaves one out. */
  readonly parameters?: Readonly<Record<string, string | undefined>>;
  /** RFC 9421: instead of the right one. */
  readonly contentDigest?: string;
}

export type Header = readonly [name: string, value: string];

/** What is sent. */
export interface Wire {
  readonly method: string;
  /** Path and query, as they stand in the request line. */
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body: Buffer;
}

interface Admin {
  readonly keyfold: Pick<TestKeyfold, 'request'>;
}

/** A key that signs by one scheme and no other, unless said otherwise; of kind `test`, which costs nothing. */
export async function createSigner({ keyfold }: Admin, scheme: Scheme, body: object = {}): Promise<Signer> {
  const pair = scheme === 'rfc9421 ed25519' ? generateKeyPairSync('ed25519') : undefined;
  const { signing, ...rules } = body as { signing?: object };
  const created = await keyfold.request('POST', '/v1/keys', {
    kind: 'test',
    permissions: ['chat'],
    ...rules,
    signing: {
      required: true,
      versions: [VERSION_OF[scheme]],
      ...(pair === undefined ? {} : { algorithm: 'ed25519', public_key: rawPublicKey(pair.publicKey) }),
      ...signing,
    },
  });
  assert.equal(created.status, 201, created.text);
  return {
    scheme,
    id: textAt(created, 'id'),
    apiKey: textAt(created, 'api_key'),
    secret: pair === undefined ? textAt(created, 'signing_secret') : '',
    privateKey: pair?.privateKey,
  };
}

/** The 32 bytes of an Ed25519 key in base64url. */
export function rawPublicKey(key: KeyObject): string {
  return String(key.export({ format: 'jwk' }).x);
}

export function newNonce(): string {
  return randomBytes(16).toString('base64url');
}

export function chatText(fields: object = {}): string {
  const messages = [{ role: 'user', content: 'Hello' }];
  return JSON.stringify({ model: 'sandbox/echo', max_tokens: 10, messages, ...fields });
}

/** One chat, now, with a nonce of its own. */
export function draftChat(url: string, fields: Partial<Draft> = {}): Draft {
  return {
    method: 'POST',
    host: new URL(url).host,
    path: CHAT,
    query: '',
    contentType: 'application/json',
    idempotencyKey: undefined,
    body: chatText(),
    timestamp: String(Math.floor(Date.now() / 1_000)),
    nonce: newNonce(),
    ...fields,
  };
}

/** A request without a body. */
export function draftGet(url: string, path: string, fields: Partial<Draft> = {}): Draft {
  return draftChat(url, { method: 'GET', path, contentType: undefined, body: '', ...fields });
}

export function sign(signer: Signer, draft: Draft): Wire {
  const headers: Header[] = [['Host', draft.host]];
  if (draft.contentType !== undefined) headers.push(['Content-Type', draft.contentType]);
  if (draft.idempotencyKey !== undefined) headers.push(['Idempotency-Key', draft.idempotencyKey]);
  return {
    method: draft.method,
    target: draft.query === '' ? draft.path : `${draft.path}?${draft.query}`,
    headers: [...headers, ...SIGN[signer.scheme](signer, draft)],
    body: Buffer.from(draft.body),
  };
}

export function macV1(signer: Signer, { timestamp, nonce, body }: Draft): string {
  return createHmac('sha256', signer.secret)
    .update(signer.apiKey + timestamp + nonce)
    .update(body)
    .digest('hex');
}

export function macV2(signer: Signer, draft: Draft): string {
  const lines = [
    'KF2-HMAC-SHA256',
    signer.id,
    draft.timestamp,
    draft.nonce,
    draft.method,
    draft.host.toLowerCase(),
    draft.path,
    draft.query,
    draft.contentType ?? '',
    draft.idempotencyKey ?? '',
    createHash('sha256').update(draft.body).digest('hex'),
  ];
  return createHmac('sha256', signer.secret).update(lines.join('\n')).digest('hex');
}

export function digestOf(body: string | Buffer): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}

const SIGN: Readonly<Record<Scheme, (signer: Signer, draft: Draft) => readonly Header[]>> = {
  v1: (signer, draft) => [
    ['Authorization', `Bearer ${signer.apiKey}`],
    ['X-Timestamp', draft.timestamp],
    ['X-Nonce', draft.nonce],
    ['X-Signature', macV1(signer, draft)],
  ],
  v2: (signer, draft) => [
    ['X-Signature-Version', '2'],
    ['X-Key-Id', signer.id],
    ['X-Timestamp', draft.timestamp],
    ['X-Nonce', draft.nonce],
    ['X-Signature', macV2(signer, draft)],
  ],
  'rfc9421 hmac': signHttpMessage,
  'rfc9421 ed25519': signHttpMessage,
};

function signHttpMessage(signer: Signer, draft: Draft): readonly Header[] {
  const contentDigest = draft.contentDigest ?? digestOf(draft.body);
  const components = draft.components ?? [
    '"@method"',
    '"@authority"',
    '"@path"',
    '"@query"',
    ...(draft.contentType === undefined ? [] : ['"content-type"']),
    '"content-digest"',
    ...(draft.idempotencyKey === undefined ? [] : ['"idempotency-key"']),
  ];
  const parameters: Record<string, string | undefined> = {
    created: draft.timestamp,
    nonce: `"${draft.nonce}"`,
    keyid: `"${signer.id}"`,
    tag: '"keyfold"',
    ...draft.parameters,
  };
  const rendered = Object.entries(parameters).map(([name, value]) =>
    value === undefined ? '' : `;${name}=${value}`,
  );
  const input = `(${components.join(' ')})${rendered.join('')}`;
  const values: Readonly<Record<string, string | undefined>> = {
    '@method': draft.method,
    '@authority': draft.host.toLowerCase(),
    '@path': draft.path,
    '@query': `?${draft.query}`,
    'content-type': draft.contentType,
    'content-digest': contentDigest,
    'idempotency-key': draft.idempotencyKey,
  };
  const lines = components.map((component) => {
    const name = /^"([^"]*)"/.exec(component)?.[1] ?? '';
    return `${component}: ${values[name] ?? ''}`;
  });
  const base = Buffer.from([...lines, `"@signature-params": ${input}`].join('\n'));
  const signature =
    signer.privateKey === undefined
      ? createHmac('sha256', signer.secret).update(base).digest()
      : signWith(undefined, base, signer.privateKey);
  return [
    ['Content-Digest', contentDigest],
    ['Signature-Input', `keyfold=${input}`],
    ['Signature', `keyfold=:${signature.toString('base64')}:`],
  ];
}
