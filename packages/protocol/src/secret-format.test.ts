import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  SECRET_PATTERN,
  type SecretKind,
  displaySecret,
  formatSecret,
  parseSecret,
} from './secret-format.ts';

const vectorFile = new URL('../vectors/secrets.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(vectorFile, 'utf8')) as {
  vectors: { kind: SecretKind; bytes_hex: string; secret: string; display: string }[];
};

describe('secret format', () => {
  test('the published vectors reproduce', () => {
    assert.ok(vectors.length > 0);
    for (const vector of vectors) {
      const secret = formatSecret(vector.kind, Buffer.from(vector.bytes_hex, 'hex'));
      assert.equal(secret, vector.secret);
      assert.equal(displaySecret(secret), vector.display);
      assert.equal(parseSecret(secret), vector.kind);
    }
  });

  test('every issued secret parses, and is found in running text', () => {
    const kind = fc.constantFrom<SecretKind>('live', 'test', 'admin', 'sig');
    fc.assert(
      fc.property(kind, fc.uint8Array({ minLength: 32, maxLength: 32 }), (kind, bytes) => {
        const secret = formatSecret(kind, bytes);
        assert.equal(secret.length, `kf_${kind}_`.length + 49);
        assert.equal(parseSecret(secret), kind);
        assert.deepEqual(`key="${secret}";`.match(SECRET_PATTERN), [secret]);
      }),
    );
  });

  test('one changed character is always refused', () => {
    fc.assert(
      fc.property(fc.nat(56), fc.constantFrom(...'0aZ_x-'), (index, character) => {
        const secret = vectors[0]?.secret ?? '';
        const changed = secret.slice(0, index) + character + secret.slice(index + 1);
        assert.equal(parseSecret(changed), changed === secret ? 'live' : undefined);
      }),
    );
  });

  test('what surrounds a secret is not part of it', () => {
    const secret = vectors[0]?.secret ?? '';
    for (const text of ['', ` ${secret}`, `${secret}\n`, `${secret}0`, secret.slice(1)]) {
      assert.equal(parseSecret(text), undefined);
    }
  });
});
