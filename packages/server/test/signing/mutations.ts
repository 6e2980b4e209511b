/** Test support: what can be changed of a signed request, one component at a time, so that it says something else. */
import { type Draft, type Signer, type Wire, addHeader, digestOf, headerOf, withHeader } from './support.ts';

/** At least 0 and below `max`. */
export type PickBelow = (max: number) => number;

export interface Signed {
  readonly signer: Signer;
  readonly draft: Draft;
  readonly wire: Wire;
  /** Another signer by the same scheme. */
  readonly other: Signer;
  readonly pick: PickBelow;
}

/** `undefined` where the request has not what would be changed. */
export type Mutate = (signed: Signed) => Wire | undefined;

const DIGITS = '0123456789';
const HEX = '0123456789abcdef';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';

/** Other paths that are served, with as good as the same permissions. */
const PATHS = new Map([
  ['/v1/chat/completions', ['/v1/completions', '/v1/embeddings', '/v1/keys/self/children']],
  ['/v1/keys/validate', ['/v1/models', '/v1/usage/current']],
]);

/** Version 1 binds these and nothing else. */
const V1: readonly (readonly [string, Mutate])[] = [
  ['body', mutateBody],
  ['timestamp', mutateTimestamp],
  ['nonce', mutateNonce],
  ['key', mutateBearer],
  ['signature', mutateMac],
];

const REQUEST: readonly (readonly [string, Mutate])[] = [
  ['method', mutateMethod],
  ['path', mutatePath],
  ['query', mutateQuery],
  ['host', (signed) => setHeader(signed, 'Host', mutateHost(signed))],
  ['content-type', mutateContentType],
  ['idempotency-key', mutateIdempotencyKey],
  ['body', mutateBody],
];

const V2: readonly (readonly [string, Mutate])[] = [
  ...REQUEST,
  ['timestamp', mutateTimestamp],
  ['nonce', mutateNonce],
  ['key id', mutateKeyId],
  ['signature', mutateMac],
];

const HTTP: readonly (readonly [string, Mutate])[] = [
  ...REQUEST,
  ['body and its digest', mutateBodyAndDigest],
  ['digest', ({ wire, pick }) => setHeader({ wire }, 'Content-Digest', digestOf(`${pick(2 ** 31)}`))],
  ['timestamp', (signed) => mutateInput(signed, 'created')],
  ['nonce', (signed) => mutateInput(signed, 'nonce')],
  ['key id', mutateHttpKeyId],
  ['components', mutateComponents],
  ['signature', mutateHttpSignature],
];

export const MUTATIONS = { v1: V1, v2: V2, 'rfc9421 hmac': HTTP, 'rfc9421 ed25519': HTTP } as const;

function setHeader({ wire }: Pick<Signed, 'wire'>, name: string, value: string): Wire {
  return withHeader(wire, name, value);
}

function mutateMethod({ wire, pick }: Signed): Wire | undefined {
  // Elsewhere there is but one method a path, and another one is refused before anybody looks who asks.
  if (!wire.target.startsWith('/v1/keys/key_')) return undefined;
  return { ...wire, method: ['DELETE', 'PATCH'][pick(2)] as string };
}

function mutatePath({ wire, draft, signer, pick }: Signed): Wire {
  const { path } = draft;
  const others = PATHS.get(path);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const changed =
    others === undefined
      ? path.replace(name, name.startsWith('key_') ? signer.id : changeName(name, pick))
      : (others[pick(others.length)] as string);
  return { ...wire, target: wire.target.replace(path, changed) };
}

/** Another letter, or the same one spelled otherwise. */
function changeName(name: string, pick: PickBelow): string {
  if (pick(2) === 0) return changeOne(name, LETTERS, pick);
  const place = pick(name.length);
  const code = name.charCodeAt(place).toString(16);
  return `${name.slice(0, place)}%${code}${name.slice(place + 1)}`;
}

function mutateQuery({ wire, draft, pick }: Signed): Wire {
  const { path, query } = draft;
  const added = `x${pick(10)}=${pick(1_000)}`;
  if (query === '') return { ...wire, target: `${path}?${added}` };
  const changes = [
    '',
    `?${query}&${added}`,
    `?${added}&${query}`,
    `?${query.split('&').toReversed().join('&')}&`,
    `?${changeOne(query, DIGITS, pick)}`,
  ];
  return { ...wire, target: path + (changes[pick(changes.length)] as string) };
}

function mutateHost({ wire, pick }: Signed): string {
  const host = headerOf(wire, 'Host');
  const hosts = [
    'gw.example',
    `${host}0`,
    `a${host}`,
    host.replace(/:\d+$/, ''),
    host.replace(/^[\d.]+/, 'localhost'),
  ];
  return hosts[pick(hosts.length)] as string;
}

function mutateContentType({ wire, draft, pick }: Signed): Wire {
  if (draft.contentType === undefined) return addHeader(wire, 'Content-Type', 'application/json');
  const types = [`${draft.contentType}; charset=utf-8`, 'text/plain', 'application/JSON', undefined, ''];
  return withHeader(wire, 'Content-Type', types[pick(types.length)]);
}

function mutateIdempotencyKey({ wire, draft, pick }: Signed): Wire {
  const { idempotencyKey: before } = draft;
  if (before === undefined) return addHeader(wire, 'Idempotency-Key', `idem-${pick(1_000)}`);
  const changed = pick(3) === 0 ? undefined : changeOne(before, LETTERS, pick);
  return withHeader(wire, 'Idempotency-Key', changed);
}

function mutateBody({ wire, pick }: Signed): Wire {
  return { ...wire, body: changeBody(wire.body, pick) };
}

function mutateBodyAndDigest({ wire, pick }: Signed): Wire {
  const body = changeBody(wire.body, pick);
  return withHeader({ ...wire, body }, 'Content-Digest', digestOf(body));
}

/** A byte changed, added or taken away. */
function changeBody(body: Buffer, pick: PickBelow): Buffer {
  const place = pick(body.length);
  const byte = pick(256);
  const kind = body.length === 0 ? 1 : pick(3);
  if (kind === 0 && body[place] !== byte) {
    return Buffer.concat([body.subarray(0, place), Buffer.of(byte), body.subarray(place + 1)]);
  }
  if (kind === 2) return Buffer.concat([body.subarray(0, place), body.subarray(place + 1)]);
  return Buffer.concat([body.subarray(0, place), Buffer.of(byte), body.subarray(place)]);
}

/** Another second within the window. */
function mutateTimestamp({ wire, draft, pick }: Signed): Wire {
  return withHeader(wire, 'X-Timestamp', otherSecond(draft, pick));
}

function otherSecond({ timestamp }: Draft, pick: PickBelow): string {
  const bySeconds = 1 + pick(40);
  return String(Number(timestamp) + (pick(2) === 0 ? bySeconds : -bySeconds));
}

function mutateNonce({ wire, draft, pick }: Signed): Wire {
  return withHeader(wire, 'X-Nonce', otherNonce(draft, pick));
}

function otherNonce({ nonce }: Draft, pick: PickBelow): string {
  const nonces = [changeOne(nonce, LETTERS, pick), `${nonce}0`, nonce.slice(0, -1), `-${nonce}`];
  return nonces[pick(nonces.length)] as string;
}

function mutateBearer({ wire, signer, other, pick }: Signed): Wire {
  const key = pick(2) === 0 ? other.apiKey : changeOne(signer.apiKey, LETTERS.slice(0, 62), pick);
  return withHeader(wire, 'Authorization', `Bearer ${key}`);
}

function mutateKeyId({ wire, signer, other, pick }: Signed): Wire {
  return withHeader(wire, 'X-Key-Id', otherKeyId(signer, other, pick));
}

function otherKeyId(signer: Signer, other: Signer, pick: PickBelow): string {
  return pick(2) === 0 ? other.id : `key_${changeOne(signer.id.slice(4), HEX, pick)}`;
}

/** By a digit, by a bit, or with both halves exchanged; or that of another request. */
function mutateMac({ wire, pick }: Signed): Wire {
  const mac = headerOf(wire, 'X-Signature');
  const macs = [
    changeOne(mac, HEX, pick),
    flipBit(Buffer.from(mac, 'hex'), pick).toString('hex'),
    mac.slice(32) + mac.slice(0, 32),
    Array.from({ length: 64 }, () => HEX[pick(16)]).join(''),
  ];
  return withHeader(wire, 'X-Signature', macs[pick(macs.length)]);
}

function mutateInput({ wire, draft, pick }: Signed, parameter: 'created' | 'nonce'): Wire {
  const [before, after] =
    parameter === 'created'
      ? [`created=${draft.timestamp}`, `created=${otherSecond(draft, pick)}`]
      : [`nonce="${draft.nonce}"`, `nonce="${otherNonce(draft, pick)}"`];
  return withHeader(wire, 'Signature-Input', headerOf(wire, 'Signature-Input').replace(before, after));
}

function mutateHttpKeyId({ wire, signer, other, pick }: Signed): Wire {
  const input = headerOf(wire, 'Signature-Input');
  return withHeader(wire, 'Signature-Input', input.replace(signer.id, otherKeyId(signer, other, pick)));
}

/** One less, two exchanged, or parameters that were not there. */
function mutateComponents({ wire, pick }: Signed): Wire {
  const input = headerOf(wire, 'Signature-Input');
  const [list = ''] = /(?<=\().*(?=\))/.exec(input) ?? [];
  const names = list.split(' ');
  const place = pick(names.length - 1);
  const inputs = [
    input.replace(list, names.toSpliced(place, 1).join(' ')),
    input.replace(list, names.toSpliced(place, 2, names[place + 1] ?? '', names[place] ?? '').join(' ')),
    input.replace(list, `${list} "user-agent"`),
    `${input};expires=9999999999`,
    `${input};alg="hmac-sha256"`,
    `${input};alg="ed25519"`,
    input.replace(';tag="keyfold"', ';tag="keyfold";x'),
  ];
  return withHeader(wire, 'Signature-Input', inputs[pick(inputs.length)]);
}

function mutateHttpSignature({ wire, pick }: Signed): Wire {
  const signature = Buffer.from(headerOf(wire, 'Signature').slice('keyfold=:'.length, -1), 'base64');
  return withHeader(wire, 'Signature', `keyfold=:${flipBit(signature, pick).toString('base64')}:`);
}

function flipBit(bytes: Buffer, pick: PickBelow): Buffer {
  const changed = Buffer.from(bytes);
  const place = pick(bytes.length);
  changed[place] = (changed[place] as number) ^ (1 << pick(8));
  return changed;
}

/** Another character at one place. */
function changeOne(text: string, characters: string, pick: PickBelow): string {
  const place = pick(text.length);
  const others = characters.replace(text[place] as string, '');
  return text.slice(0, place) + (others[pick(others.length)] as string) + text.slice(place + 1);
}
