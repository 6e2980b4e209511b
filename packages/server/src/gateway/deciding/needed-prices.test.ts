import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import { nanosPerMillion, type ModelPrice } from '../../pricing/model-price.ts';
import type { Target } from '../../routing/target.ts';
import { findUnknownPrice } from './needed-prices.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';

const FREE = nanosPerMillion(0n);
const TEXT = { inputPerMillion: FREE, outputPerMillion: FREE };
const RECORDING = { bytes: 1, tokensMax: 1, isWhole: true };

function missing(call: Partial<ParsedCall>, price: Partial<ModelPrice> | undefined): string | undefined {
  const asked = { endpoint: 'chat.completions', mediaOutput: [], ...call } as unknown as ParsedCall;
  const target = { provider: 'p', model: 'm', price } as Target;
  const denial = findUnknownPrice(asked, target);
  if (denial === undefined) return undefined;
  assert.deepEqual([denial.code, denial.detail.param], ['model_unpriced', 'model']);
  return /budget\. Set (\w+) with PUT \/v1\/catalog\/models\/p\/m\.$/.exec(denial.detail.message ?? '')?.[1];
}

describe('what must be known of a price', () => {
  test('is that there is one, even if it is zero', () => {
    assert.equal(missing({}, undefined), 'one');
    assert.equal(missing({}, TEXT), undefined);
  });

  test('is the price of what the call asks for, or brings, in every tier', () => {
    assert.equal(missing({ mediaOutput: ['audio'] }, TEXT), 'audio_output_usd_per_million');
    assert.equal(missing({ mediaOutput: ['image'] }, TEXT), 'image_output_usd_per_million');
    assert.equal(missing({ recording: RECORDING }, TEXT), 'audio_input_usd_per_million');
    const { scan } = modelCall({});
    const drawing = { ...TEXT, mode: 'image' } as const;
    assert.equal(missing({ endpoint: 'generateContent', scan }, drawing), 'image_output_usd_per_million');
    const spoken = { ...TEXT, audioOutputPerMillion: FREE };
    assert.equal(missing({ mediaOutput: ['audio'] }, spoken), undefined);
    const above = { ...TEXT, inputTokens: 1 };
    assert.equal(missing({ mediaOutput: ['audio'] }, { ...spoken, above }), 'audio_output_usd_per_million');
  });

  test('is how much can come out, where nothing in the call says so', () => {
    const drawn = { ...TEXT, imageOutputPerMillion: FREE };
    const call = { endpoint: 'images.generations', mediaOutput: ['image'] } as const;
    assert.equal(missing(call, drawn), 'output_tokens_max');
    assert.equal(missing(call, { ...drawn, outputTokensMax: 6_240 }), undefined);
    assert.equal(missing({ endpoint: 'responses' }, TEXT), undefined);
  });
});
