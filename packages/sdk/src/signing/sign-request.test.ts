import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { NONCE, decodeBase64, signedPrefixV1 } from '@keyfold/protocol';
import { signRequest } from './sign-request.ts';
import { signEd25519, signHmacSha256, toBytes, toHex } from './web-crypto.ts';

interface Key {
  readonly algorithm: string;
  readonly secret?: string;
  readonly secret_base64?: string;
  readonly private_pem?: string;
}

const version1 = read<{
  vectors: {
    name: string;
    key: string;
    timestamp: string;
    nonce: string;
    body: string;
    secret: string;
    signature: string;
  }[];
}>('signing-version-1.json');
const version2 = read<{
  vectors: {
    name: string;
    secret: string;
    key_id: string;
    timestamp: string;
    nonce: string;
    method: string;
    host: string;
    path: string;
    query: string;
    content_type: string;
    idempotency_key: string;
    body: string;
    signature: string;
  }[];
}>('signing-version-2.json');
const rfc9421 = read<{
  keys: Record<string, Key>;
  vectors: {
    section: string;
    key: string;
    label: string;
    base: string;
    signature: string;
    deterministic: boolean;
  }[];
}>('rfc9421.json');
const keyfold = read<{
  keys: Record<string, Key>;
  vectors: {
    name: string;
    key: string;
    key_id: string;
    timestamp: number;
    nonce: string;
    method: string;
    authority: string;
    path: string;
    query: string;
    headers: [string, string][];
    body: string;
    signature_input: string;
    signature: string;
  }[];
}>('rfc9421-keyfold.json');

describe('the published vectors, by the Web Cryptography API', () => {
  for (const vector of version1.vectors) {
    test(`version 1: ${vector.name}`, async () => {
      const signed = toBytes(signedPrefixV1(vector) + vector.body);
      assert.equal(toHex(await signHmacSha256(toBytes(vector.secret), signed)), vector.signature);
      if (!NONCE.test(vector.nonce)) return;
      const headers = await signRequest(
        { method: 'POST', url: 'https://gw.example/v1/chat/completions', body: vector.body },
        { version: '1', apiKey: vector.key, signingSecret: vector.secret },
        at(vector.timestamp, vector.nonce),
      );
      assert.deepEqual(headers, {
        Authorization: `Bearer ${vector.key}`,
        'X-Timestamp': vector.timestamp,
        'X-Nonce': vector.nonce,
        'X-Signature': vector.signature,
      });
    });
  }

  for (const vector of version2.vectors) {
    test(`version 2: ${vector.name}`, async () => {
      const sent = [
        ['Content-Type', vector.content_type],
        ['Idempotency-Key', vector.idempotency_key],
      ].filter(([, value]) => value !== '') as [string, string][];
      const url = `https://${vector.host}${vector.path}${vector.query === '' ? '' : `?${vector.query}`}`;
      const headers = await signRequest(
        { method: vector.method, url, headers: sent, body: vector.body },
        { version: '2', keyId: vector.key_id, signingSecret: vector.secret },
        at(vector.timestamp, vector.nonce),
      );
      assert.deepEqual(headers, {
        'X-Signature-Version': '2',
        'X-Key-Id': vector.key_id,
        'X-Timestamp': vector.timestamp,
        'X-Nonce': vector.nonce,
        'X-Signature': vector.signature,
      });
    });
  }

  for (const vector of rfc9421.vectors.filter(({ deterministic }) => deterministic)) {
    test(`RFC 9421, ${vector.section}`, async () => {
      const key = rfc9421.keys[vector.key];
      const signature =
        key?.algorithm === 'ed25519'
          ? await signEd25519(await importEd25519(key), toBytes(vector.base))
          : await signHmacSha256(decodeBase64(key?.secret_base64 ?? '') ?? toBytes(''), toBytes(vector.base));
      assert.equal(`${vector.label}=:${Buffer.from(signature).toString('base64')}:`, vector.signature);
    });
  }

  for (const vector of keyfold.vectors) {
    test(`RFC 9421 for Keyfold: ${vector.name}, ${vector.key}`, async () => {
      const key = keyfold.keys[vector.key];
      const { version, keyId } = { version: 'rfc9421', keyId: vector.key_id } as const;
      const url = `https://${vector.authority}${vector.path}${vector.query === '' ? '' : `?${vector.query}`}`;
      const headers = await signRequest(
        { method: vector.method, url, headers: vector.headers, body: vector.body },
        key?.algorithm === 'ed25519'
          ? { version, keyId, privateKey: await importEd25519(key) }
          : { version, keyId, signingSecret: key?.secret ?? '' },
        at(vector.timestamp, vector.nonce),
      );
      assert.deepEqual(headers, {
        'Content-Digest': vector.headers.find(([name]) => name === 'Content-Digest')?.[1],
        'Signature-Input': vector.signature_input,
        Signature: vector.signature,
      });
    });
  }
});

describe('signing a request', () => {
  const parts = { method: 'POST', url: 'https://gw.example/v1/models', body: '{}' };
  const credentials = { version: '2', keyId: 'key_1', signingSecret: 'a' } as const;

  test('every signature has a nonce of its own', async () => {
    const nonces = new Set<string | undefined>();
    for (let count = 0; count < 50; count++) {
      const { 'X-Nonce': nonce = '' } = await signRequest(parts, credentials);
      assert.match(nonce, NONCE);
      nonces.add(nonce);
    }
    assert.equal(nonces.size, 50);
  });

  test('during a rotation both secrets sign', async () => {
    const fixed = at('1700000000', 'nonce-of-the-test');
    const signatureBy = async (signingSecret: string) =>
      (await signRequest(parts, { ...credentials, signingSecret }, fixed))['X-Signature'];
    const both = await signRequest(
      parts,
      { version: '2', keyId: 'key_1', signingSecrets: ['a', 'b'] },
      fixed,
    );
    assert.equal(both['X-Signature'], `${await signatureBy('a')} ${await signatureBy('b')}`);
  });

  test('without a secret, or with a third, nothing is signed', async () => {
    for (const signingSecrets of [[], ['a', 'b', 'c'], [''], ['a', '']]) {
      await assert.rejects(signRequest(parts, { version: '2', keyId: 'key_1', signingSecrets }), TypeError);
    }
    const none = { keyId: 'key_1', signingSecret: '' };
    await assert.rejects(signRequest(parts, { version: '2', ...none }), TypeError);
    await assert.rejects(signRequest(parts, { version: 'rfc9421', ...none }), TypeError);
    await assert.rejects(signRequest(parts, { version: '1', apiKey: 'k', signingSecret: '' }), TypeError);
  });

  test('what the server would refuse is not signed', async () => {
    const array = { ...parts, body: '[1]' };
    await assert.rejects(
      signRequest(array, { version: '1', apiKey: 'k', signingSecret: 'a' }),
      /JSON object/,
    );
    await assert.rejects(signRequest(parts, { ...credentials, keyId: 'key\n1' }), /line break/);
    for (const randomNonce of [
      () => '',
      () => 'too-short',
      () => 'with a blank in it',
      () => 'x'.repeat(65),
    ]) {
      await assert.rejects(signRequest(parts, credentials, { randomNonce }), /nonce/);
    }
    const foreign = { ...parts, headers: { 'content-type': 'text/plain; title=é' } };
    await assert.rejects(signRequest(foreign, { ...credentials, version: 'rfc9421' }), /ASCII/);
  });
});

function at(timestamp: string | number, nonce: string) {
  return { nowMs: () => Number(timestamp) * 1000 + 999, randomNonce: () => nonce };
}

function read<Content>(name: string): Content {
  const file = new URL(import.meta.resolve(`@keyfold/protocol/vectors/${name}`));
  return JSON.parse(readFileSync(file, 'utf8')) as Content;
}

async function importEd25519(key: Key): Promise<CryptoKey> {
  const der = Buffer.from((key.private_pem ?? '').replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  return crypto.subtle.importKey('pkcs8', der, 'Ed25519', false, ['sign']);
}
