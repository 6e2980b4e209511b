import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ModelPrice } from '../../pricing/model-price.ts';
import { boundInput } from './bound-input.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';

const SMALL = { contextTokens: 16_000 } as ModelPrice;

const NOTHING = { mediaParts: 0, longParts: 0, promptedTools: 0 };

function called(call: Partial<ParsedCall>): ParsedCall {
  return { endpoint: 'chat.completions', body: Buffer.alloc(400), ...NOTHING, ...call } as ParsedCall;
}

describe('boundInput', () => {
  test('no token is shorter than a byte, and media have more than their bytes', () => {
    assert.deepEqual(boundInput(called({}), undefined), {
      tokensMax: 1_400,
      believedMax: 10_000_000,
      likely: 100,
    });
    assert.equal(boundInput(called({ mediaParts: 2 }), undefined).tokensMax, 101_400);
    assert.equal(boundInput(called({ mediaParts: 2, longParts: 1 }), undefined).tokensMax, 5_051_400);
    assert.equal(boundInput(called({ promptedTools: 2 }), undefined).tokensMax, 21_400);
  });

  test('a chat is no longer than the context of its model, a list of inputs may be', () => {
    const long = { body: Buffer.alloc(20_000) };
    assert.equal(boundInput(called(long), SMALL).tokensMax, 16_000);
    assert.equal(boundInput(called({ ...long, endpoint: 'responses' }), SMALL).tokensMax, 16_000);
    assert.equal(boundInput(called({ ...long, endpoint: 'embeddings' }), SMALL).tokensMax, 21_000);
  });

  test('of a chat as much is believed as its model can read, or more where more was sent', () => {
    const believed = (call: Partial<ParsedCall>, price?: ModelPrice) =>
      boundInput(called(call), price).believedMax;
    assert.equal(believed({}, SMALL), 16_000);
    assert.equal(believed({ body: Buffer.alloc(20_000) }, SMALL), 21_000);
    assert.equal(believed({ endpoint: 'embeddings' }, SMALL), 1_400);
    assert.equal(believed({ mediaParts: 3, longParts: 3 }), 15_001_400);
  });

  test('no part of many inputs is longer than the context of its model', () => {
    const inputs = called({ endpoint: 'batchEmbedContents', mediaParts: 3, longParts: 2 });
    assert.equal(boundInput(inputs, SMALL).tokensMax, 1_400 + 3 * 16_000);
  });

  test('a recording is held at what it may be, whatever its bytes, and believed to have been longer', () => {
    const body = Buffer.alloc(1_000_400);
    const recording = { bytes: 1_000_000, tokensMax: 100_000, isWhole: true };
    const call = called({ endpoint: 'audio.transcriptions', body, recording });
    assert.deepEqual(boundInput(call, undefined), {
      // 400 of fields and 1000 around them.
      tokensMax: 101_400,
      believedMax: 10_001_400,
      likely: 100 + 1_250,
    });
    assert.equal(boundInput(call, SMALL).tokensMax, 16_000);
    const cut = { ...call, recording: { ...recording, isWhole: false } };
    assert.equal(boundInput(cut, SMALL).tokensMax, 101_400);
  });
});
