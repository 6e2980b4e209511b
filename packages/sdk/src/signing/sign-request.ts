/** Signs one request by each of the three schemes, and gives the headers to send with it. */
import {
  NONCE,
  SIGNATURE_TAG,
  encodeBase64,
  renderContentDigest,
  renderSignature,
  renderSignatureInput,
  requiredComponents,
  signatureBase,
  signedPrefixV1,
  signedTextV2,
} from '@keyfold/protocol';
import { type SigningCredentials, supply, supplySecrets } from './credentials.ts';
import { hashSha256, signEd25519, signHmacSha256, toBytes, toHex } from './web-crypto.ts';

/** A request exactly as it will go over the wire: one byte more or less, and the signature does not hold. */
export interface RequestParts {
  readonly method: string;
  /** Absolute; what follows `#` is not sent and not signed. */
  readonly url: string | URL;
  /** Of these, `Content-Type` and `Idempotency-Key` are signed. */
  readonly headers?: HeadersSource;
  readonly body?: string | Uint8Array;
}

export interface SignOptions {
  /** Milliseconds since 1970-01-01 UTC; the client's clock where it is not given. */
  readonly nowMs?: (() => number) | undefined;
  /** 16 to 64 characters of `A-Za-z0-9_-`, never the same twice. */
  readonly randomNonce?: (() => string) | undefined;
}

type HeadersSource = ConstructorParameters<typeof Headers>[0];

/** A request with what every scheme needs of it. */
interface Draft {
  readonly method: string;
  readonly url: URL;
  readonly contentType: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly timestamp: string;
  readonly nonce: string;
}

/**
 * The headers that sign this request, to be sent with it as they are. Each call takes a new time and a new nonce: sign
 * every attempt anew. Versions `2` and `rfc9421` need no key as bearer; do not send one.
 */
export async function signRequest(
  parts: RequestParts,
  credentials: SigningCredentials,
  options: SignOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const draft = toDraft(parts, options);
  switch (credentials.version) {
    case '1':
      return signVersion1(draft, credentials);
    case '2':
      return signVersion2(draft, credentials);
    case 'rfc9421':
      return signHttpMessage(draft, credentials);
  }
}

type Of<Version extends SigningCredentials['version']> = Extract<SigningCredentials, { version: Version }>;

async function signVersion1(draft: Draft, credentials: Of<'1'>): Promise<Record<string, string>> {
  if (draft.body.length > 0 && draft.body[0] !== OPENING_BRACE) {
    throw new TypeError('version 1 signs no body but a JSON object');
  }
  const { timestamp, nonce } = draft;
  const key = await supply(credentials.apiKey);
  const [secret = ''] = await supplySecrets(credentials.signingSecret);
  const prefix = toBytes(signedPrefixV1({ key, timestamp, nonce }));
  const signed = new Uint8Array(prefix.length + draft.body.length);
  signed.set(prefix);
  signed.set(draft.body, prefix.length);
  return {
    Authorization: `Bearer ${key}`,
    'X-Timestamp': timestamp,
    'X-Nonce': nonce,
    'X-Signature': toHex(await signHmacSha256(toBytes(secret), signed)),
  };
}

async function signVersion2(draft: Draft, credentials: Of<'2'>): Promise<Record<string, string>> {
  const { url, timestamp, nonce } = draft;
  const secrets = await supplySecrets(
    'signingSecrets' in credentials ? credentials.signingSecrets : credentials.signingSecret,
  );
  const text = signedTextV2({
    keyId: credentials.keyId,
    timestamp,
    nonce,
    method: draft.method,
    host: url.host,
    path: url.pathname,
    query: url.search.slice(1),
    contentType: draft.contentType ?? '',
    idempotencyKey: draft.idempotencyKey ?? '',
    bodySha256: toHex(await hashSha256(draft.body)),
  });
  if (text === undefined) throw new TypeError('a part of the request holds a line break');
  const signatures = secrets.map(async (secret) =>
    toHex(await signHmacSha256(toBytes(secret), toBytes(text))),
  );
  return {
    'X-Signature-Version': '2',
    'X-Key-Id': credentials.keyId,
    'X-Timestamp': timestamp,
    'X-Nonce': nonce,
    'X-Signature': (await Promise.all(signatures)).join(' '),
  };
}

async function signHttpMessage(draft: Draft, credentials: Of<'rfc9421'>): Promise<Record<string, string>> {
  const { url, contentType, idempotencyKey } = draft;
  const contentDigest = renderContentDigest(await hashSha256(draft.body));
  const signedHeaders = new Map([
    ['content-type', contentType],
    ['content-digest', contentDigest],
    ['idempotency-key', idempotencyKey],
  ]);
  const names = requiredComponents({
    hasContentType: contentType !== undefined,
    hasIdempotencyKey: idempotencyKey !== undefined,
  });
  const raw = renderSignatureInput(names, {
    created: Number(draft.timestamp),
    nonce: draft.nonce,
    keyid: credentials.keyId,
    tag: SIGNATURE_TAG,
  });
  const components = names.map((name) => ({ name, parameters: new Map<string, never>() }));
  const base = signatureBase(
    { components, raw },
    {
      method: draft.method,
      authority: url.host,
      path: url.pathname,
      query: url.search.slice(1),
      header: (name) => signedHeaders.get(name),
    },
  );
  if (base === undefined) throw new TypeError('a part of the request is not one line of ASCII');
  return {
    'Content-Digest': contentDigest,
    'Signature-Input': `${SIGNATURE_TAG}=${raw}`,
    Signature: renderSignature(SIGNATURE_TAG, await signBase(base, credentials)),
  };
}

async function signBase(base: string, credentials: Of<'rfc9421'>): Promise<Uint8Array> {
  if ('privateKey' in credentials) return signEd25519(credentials.privateKey, toBytes(base));
  const [secret = ''] = await supplySecrets(credentials.signingSecret);
  return signHmacSha256(toBytes(secret), toBytes(base));
}

const OPENING_BRACE = 0x7b;
const NONCE_BYTES = 16;

function toDraft(parts: RequestParts, options: SignOptions): Draft {
  const { body = '' } = parts;
  const headers = new Headers(parts.headers);
  const nonce = (options.randomNonce ?? makeNonce)();
  if (!NONCE.test(nonce)) throw new TypeError('a nonce has 16 to 64 characters of A-Z, a-z, 0-9, _ and -');
  return {
    method: parts.method,
    url: new URL(parts.url),
    contentType: headers.get('content-type') ?? undefined,
    idempotencyKey: headers.get('idempotency-key') ?? undefined,
    body: typeof body === 'string' ? toBytes(body) : new Uint8Array(body),
    timestamp: String(Math.floor((options.nowMs ?? Date.now)() / 1000)),
    nonce,
  };
}

/** 128 random bits, so that no two clients ever choose alike. */
function makeNonce(): string {
  const text = encodeBase64(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
