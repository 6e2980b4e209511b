import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type SignedRequestV2, signedTextV2 } from './version-2.ts';

interface Parts {
  readonly name: string;
  readonly key_id: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly content_type: string;
  readonly idempotency_key: string;
  readonly body: string;
}

const vectorFile = new URL('../../vectors/signing-version-2.json', import.meta.url);
const { vectors, refused } = JSON.parse(readFileSync(vectorFile, 'utf8')) as {
  vectors: (Parts & { secret: string; body_sha256: string; signed_text: string; signature: string })[];
  refused: Parts[];
};

const PARTS = [
  'keyId',
  'timestamp',
  'nonce',
  'method',
  'host',
  'path',
  'query',
  'contentType',
  'idempotencyKey',
  'bodySha256',
] as const satisfies readonly (keyof SignedRequestV2)[];

describe('the text of version 2', () => {
  for (const vector of vectors) {
    test(`the published vector reproduces: ${vector.name}`, () => {
      const request = toRequest(vector);
      const text = signedTextV2(request);
      assert.equal(request.bodySha256, vector.body_sha256);
      assert.equal(text, vector.signed_text);
      assert.equal(
        createHmac('sha256', vector.secret).update(vector.signed_text).digest('hex'),
        vector.signature,
      );
    });
  }

  for (const vector of refused) {
    test(`there is none for ${vector.name}`, () => {
      assert.equal(signedTextV2(toRequest(vector)), undefined);
    });
  }

  test('no part can hold a line break, whichever it is', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PARTS), fc.constantFrom('\r', '\n', '\0'), (part, character) => {
        const request = Object.fromEntries(
          PARTS.map((each) => [each, each === part ? `a${character}b` : 'a']),
        );
        assert.equal(signedTextV2(request as unknown as SignedRequestV2), undefined);
      }),
    );
  });

  test('two requests that differ in any part but the case of the host have different texts', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '/', '?', '&'), maxLength: 4 });
    const request = fc.record(Object.fromEntries(PARTS.map((name) => [name, part])));
    fc.assert(
      fc.property(request, request, (one, other) => {
        const [oneText, otherText] = [one, other].map((each) =>
          signedTextV2(each as unknown as SignedRequestV2),
        );
        assert.equal(oneText === otherText, JSON.stringify(one) === JSON.stringify(other));
        assert.equal(oneText?.split('\n').length, 11);
      }),
    );
  });
});

function toRequest(parts: Parts): SignedRequestV2 {
  return {
    keyId: parts.key_id,
    timestamp: parts.timestamp,
    nonce: parts.nonce,
    method: parts.method,
    host: parts.host,
    path: parts.path,
    query: parts.query,
    contentType: parts.content_type,
    idempotencyKey: parts.idempotency_key,
    bodySha256: createHash('sha256').update(parts.body).digest('hex'),
  };
}
