import assert from 'node:assert/strict';
import { createPublicKey, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Denial } from '../../src/kernel/denial.ts';
import type { PresentedRequest } from '../../src/signing/presented.ts';
import { type Signature, readSignature } from '../../src/signing/read-signature.ts';
import { type Verifier, verifySignature } from '../../src/signing/verify-signature.ts';

const WINDOW = { past: 0, future: 0 };

interface Vector {
  readonly name: string;
  readonly secret: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly body: string;
  readonly signature: string;
}

interface VectorV1 extends Vector {
  readonly key: string;
}

interface VectorV2 extends Vector {
  readonly key_id: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly content_type: string;
  readonly idempotency_key: string;
}

interface HttpKey {
  readonly algorithm: string;
  readonly secret?: string;
  readonly secret_base64?: string;
  readonly public_pem?: string;
}

interface HttpMessage {
  readonly method?: string;
  readonly authority?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

interface HttpVector {
  readonly name: string;
  readonly key: string;
  readonly signature_input: string;
  readonly signature: string;
}

function read<T>(name: string): T {
  const file = new URL(`../../../protocol/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

describe('the published vectors of version 1', () => {
  for (const vector of read<{ vectors: readonly VectorV1[] }>('signing-version-1').vectors) {
    test(`${vector.name}: hold, and not with another bit`, () => {
      const request = present({ secret: vector.key });
      assertHolds({ request, signature: hmacSignature('1', vector), vector });
      for (const other of [{ key: `${vector.key}x` }, { nonce: `${vector.nonce}x` }, { timestamp: '1' }]) {
        const changed = { ...vector, ...other };
        assert.equal(
          verify(
            { request: present({ secret: changed.key }), signature: hmacSignature('1', changed) },
            vector,
          ),
          'signature does not hold',
        );
      }
    });
  }
});

describe('the published vectors of version 2', () => {
  const { vectors, refused } = read<{ vectors: readonly VectorV2[]; refused: readonly VectorV2[] }>(
    'signing-version-2',
  );
  for (const vector of vectors) {
    test(`${vector.name}: hold, and not with another bit`, () => {
      assertHolds({ request: presentV2(vector), signature: hmacSignature('2', vector), vector });
      const fields = ['method', 'host', 'path', 'query', 'content_type', 'idempotency_key'] as const;
      for (const name of [...fields, 'key_id', 'nonce', 'timestamp'] as const) {
        const changed = { ...vector, [name]: `${vector[name]}x` };
        assert.equal(
          verify({ request: presentV2(changed), signature: hmacSignature('2', changed) }, vector),
          'signature does not hold',
          name,
        );
      }
    });
  }
  for (const vector of refused) {
    test(`${vector.name}: has no signed text, so nothing holds for it`, () => {
      const signature = hmacSignature('2', { ...vector, signature: '0'.repeat(64) });
      assert.equal(verify({ request: presentV2(vector), signature }, vector), 'cannot be signed');
    });
  }
});

describe("the published vectors of Keyfold's requests by RFC 9421", () => {
  const { keys, vectors } = read<{
    keys: Record<string, HttpKey>;
    vectors: readonly (HttpMessage & HttpVector)[];
  }>('rfc9421-keyfold');
  for (const vector of vectors) {
    test(`${vector.name}, ${vector.key}: hold as they stand on the wire, and not with another bit`, () => {
      const key = keys[vector.key] as HttpKey;
      const request = presentMessage(vector, vector);
      const signature = readSignature(request) as Signature;
      assert.ok(!(signature instanceof Denial), JSON.stringify(signature));
      const verifier = toVerifier(key);
      const body = Buffer.from(vector.body);
      assert.equal(verifySignature({ request, signature, body }, [verifier]), verifier);
      assert.equal(
        verifySignature({ request, signature, body: Buffer.concat([body, Buffer.from(' ')]) }, [verifier]),
        'content digest does not hold',
      );
      for (const name of ['method', 'authority', 'path', 'query'] as const) {
        const changed = presentMessage({ ...vector, [name]: `${vector[name]}x` }, vector);
        assert.equal(
          verifySignature({ request: changed, signature, body }, [verifier]),
          'signature does not hold',
          name,
        );
      }
      const others = Object.values(keys).filter((each) => each !== key);
      assert.equal(
        verifySignature(
          { request, signature, body },
          others.map((other) => toVerifier(other)),
        ),
        'signature does not hold',
      );
    });
  }
});

test('signatures that cover less than Keyfold requires do not hold, such as those of RFC 9421, appendix B', () => {
  const { keys, messages, vectors } = read<{
    keys: Record<string, HttpKey>;
    messages: Record<string, HttpMessage>;
    vectors: readonly (HttpVector & { readonly message: string; readonly section: string })[];
  }>('rfc9421');
  const usable = vectors.filter(({ key }) =>
    ['hmac-sha256', 'ed25519'].includes(keys[key]?.algorithm as string),
  );
  assert.ok(usable.length >= 2);
  for (const vector of usable) {
    const request = presentMessage(messages[vector.message] as HttpMessage, vector);
    const signature = readSignature(request);
    assert.ok(signature instanceof Denial, vector.section);
    assert.equal(signature.code, 'invalid_signature');
  }
});

function assertHolds(of: {
  readonly request: PresentedRequest;
  readonly signature: Signature;
  readonly vector: Vector;
}): void {
  const { vector } = of;
  assert.equal((verify(of, vector) as Verifier).id, 'right');
  assert.equal(verify(of, { ...vector, body: `{${vector.body}` }), 'signature does not hold');
  assert.equal(verify(of, { ...vector, secret: `${vector.secret}x` }), 'signature does not hold');
}

function verify(
  { request, signature }: { readonly request: PresentedRequest; readonly signature: Signature },
  { secret, body }: Vector,
): Verifier | string {
  const right = { id: 'right', algorithm: 'hmac-sha256', key: createSecretKey(secret, 'utf8') } as const;
  const wrong = { ...right, id: 'wrong', key: createSecretKey('another', 'utf8') };
  return verifySignature({ request, signature, body: Buffer.from(body) }, [wrong, right]);
}

function hmacSignature(version: '1' | '2', vector: Vector & { readonly key_id?: string }): Signature {
  return {
    version,
    keyId: vector.key_id,
    timestamp: vector.timestamp,
    timeS: Number(vector.timestamp),
    nonce: vector.nonce,
    macs: [Buffer.from(vector.signature, 'hex')],
    windowS: WINDOW,
  };
}

function presentV2(vector: VectorV2): PresentedRequest {
  const headers: [string, string][] = [['host', vector.host]];
  if (vector.content_type !== '') headers.push(['content-type', vector.content_type]);
  if (vector.idempotency_key !== '') headers.push(['idempotency-key', vector.idempotency_key]);
  const { method, path, query } = vector;
  return present({ method, path, query, headers });
}

function presentMessage(message: HttpMessage, signed: HttpVector): PresentedRequest {
  const { method = '', path = '', query = '' } = message;
  return present({
    method,
    path,
    query,
    headers: [['host', message.authority ?? ''], ...message.headers],
    signature: new Map([
      ['signature-input', signed.signature_input],
      ['signature', signed.signature],
    ]),
  });
}

function present(of: {
  readonly secret?: string | undefined;
  readonly signature?: ReadonlyMap<string, string>;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: readonly (readonly [string, string])[];
}): PresentedRequest {
  const headers = new Map(of.headers?.map(([name, value]) => [name.toLowerCase(), value]));
  return {
    method: of.method ?? 'POST',
    path: of.path ?? '/v1/chat/completions',
    query: of.query ?? '',
    secret: of.secret,
    signature: of.signature,
    header: (name) => headers.get(name),
  };
}

function toVerifier({ algorithm, secret, secret_base64: base64, public_pem: pem }: HttpKey): Verifier {
  if (algorithm === 'ed25519') return { id: 'ed25519', algorithm, key: createPublicKey(pem ?? '') };
  const bytes = secret === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(secret, 'utf8');
  return { id: 'hmac', algorithm: 'hmac-sha256', key: createSecretKey(bytes) };
}
