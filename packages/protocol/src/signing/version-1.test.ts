import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { NONCE, SIGNATURE_HEX, TIMESTAMP } from './rules.ts';
import { signedPrefixV1 } from './version-1.ts';

const vectorFile = new URL('../../vectors/signing-version-1.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(vectorFile, 'utf8')) as {
  vectors: {
    name: string;
    key: string;
    timestamp: string;
    nonce: string;
    body: string;
    secret: string;
    signature: string;
  }[];
};

describe('the text of version 1', () => {
  for (const vector of vectors) {
    test(`the published vector reproduces: ${vector.name}`, () => {
      const mac = createHmac('sha256', vector.secret).update(signedPrefixV1(vector)).update(vector.body);
      assert.equal(mac.digest('hex'), vector.signature);
      assert.match(vector.signature, SIGNATURE_HEX);
    });
  }

  test('of two requests with one MAC, the shapes let at most one pass', () => {
    const alike = vectors.filter(({ signature }) => signature === vectors[0]?.signature);
    assert.equal(alike.length, 2);
    const passing = alike.filter(({ timestamp, nonce }) => TIMESTAMP.test(timestamp) && NONCE.test(nonce));
    assert.ok(passing.length <= 1);
  });
});
