import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './base64.ts';

describe('base64', () => {
  test('any bytes have one text, and come back from it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = encodeBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString('base64'));
        assert.deepEqual(decodeBase64(text), bytes);
      }),
    );
  });

  test('whatever decodes is the text that encoding gives', () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'AQgwBZz09+/=-_ \n') }));
    fc.assert(
      fc.property(texts, (text) => {
        const bytes = decodeBase64(text);
        if (bytes !== undefined) assert.equal(encodeBase64(bytes), text);
      }),
    );
  });

  test('other spellings are refused', () => {
    for (const text of [
      'AQI',
      'AQI=\n',
      ' AQI=',
      'AQJ=',
      'AR==',
      'A===',
      '====',
      'AQ_-',
      'AQ==AQ==',
      'AQI==',
    ]) {
      assert.equal(decodeBase64(text), undefined, text);
    }
  });
});
