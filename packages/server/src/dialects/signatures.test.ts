import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Signature } from './chat.ts';
import { joinSignature, readSignature, splitSignature, writeSignature } from './signatures.ts';

const SIGNERS = ['openai', 'anthropic', 'gemini'] as const;
const signer = fc.constantFrom(...SIGNERS);
const signature: fc.Arbitrary<Signature> = fc.record(
  { by: signer, value: fc.string({ unit: 'grapheme' }) },
  { noNullPrototype: true },
);

describe('a signature in the id of a call', () => {
  test('comes out as it went in, whatever the id and the signature', () => {
    fc.assert(
      fc.property(fc.string(), signature, (id, signed) => {
        assert.deepEqual(splitSignature(joinSignature(id, signed)), { id, signature: signed });
      }),
    );
  });

  test('comes out of an id that had one already, as behind another gateway like this', () => {
    fc.assert(
      fc.property(fc.string(), signature, signature, (id, inner, outer) => {
        const once = joinSignature(id, inner);
        assert.deepEqual(splitSignature(joinSignature(once, outer)), { id: once, signature: outer });
      }),
    );
  });

  test('never has the mark in what it is encoded to, so that the last mark is its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        assert.ok(!joinSignature('', { by: 'gemini', value }).slice(1).includes('__kf_'));
      }),
    );
  });

  test('leaves an id alone that has none', () => {
    for (const id of ['', 'call_1', '__kf_', 'a__kf_nobody_QUJD', 'a__kf_openai', 'toolu_01__kf']) {
      assert.deepEqual(splitSignature(id), { id });
      assert.equal(joinSignature(id, undefined), id);
    }
  });

  test('has only characters that every vendor takes in an id', () => {
    fc.assert(
      fc.property(signature, (signed) => {
        assert.match(joinSignature('call_1', signed), /^[A-Za-z0-9_-]+$/);
      }),
    );
  });
});

describe("a signature in a field of a vendor's own", () => {
  /** What vendors sign with is base64, or the name of a field. */
  const ofVendor = fc.record(
    { by: signer, value: fc.oneof(fc.base64String({ minLength: 4 }), fc.constant('reasoning_content')) },
    { noNullPrototype: true },
  );

  test("comes back whoever's it is, and the vendor's own is not touched", () => {
    fc.assert(
      fc.property(ofVendor, signer, (signed, own) => {
        const written = writeSignature(signed, own);
        assert.deepEqual(readSignature(written, own), signed);
        assert.equal(written === signed.value, signed.by === own);
      }),
    );
  });

  test('of nobody that is known is taken for its own', () => {
    assert.deepEqual(readSignature('kf.nobody.QUJD', 'anthropic'), {
      by: 'anthropic',
      value: 'kf.nobody.QUJD',
    });
  });
});
