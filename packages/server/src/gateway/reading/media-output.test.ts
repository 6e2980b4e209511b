import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import type { ModelPrice } from '../../pricing/model-price.ts';
import type { Endpoint } from '../../providers/provider.ts';
import { mediaOutputOf, readMediaOutput } from './media-output.ts';
import type { ParsedCall } from './parsed-call.ts';

test('audio and images are asked for by name, and what is not known may be anything', () => {
  const asked = (modalities: unknown) =>
    readMediaOutput('chat.completions', modelCall({ model: 'm', modalities }).scan);
  assert.deepEqual(readMediaOutput('chat.completions', modelCall({ model: 'm' }).scan), []);
  assert.deepEqual(readMediaOutput('images.generations', modelCall({ model: 'm' }).scan), ['image']);
  for (const nothing of [null, [], ['text'], 'text']) assert.deepEqual(asked(nothing), []);
  assert.deepEqual(asked(['text', 'audio']), ['audio']);
  assert.deepEqual(asked(['image', 'text']), ['image']);
  for (const unknown of [['video'], 'smell', [7], { audio: true }])
    assert.deepEqual(asked(unknown), ['audio', 'image']);
});

test("Gemini's models that draw do so unless they are asked for text alone", () => {
  const price = (fields: object) => ({ mode: 'chat', ...fields }) as ModelPrice;
  const made = (
    drawing: ModelPrice | undefined,
    body: object = {},
    endpoint: Endpoint = 'generateContent',
  ) => {
    const { scan } = modelCall({ model: 'm', ...body });
    return mediaOutputOf({ endpoint, scan, mediaOutput: [] as const } as unknown as ParsedCall, drawing);
  };
  const drawing = price({ mode: 'image' });
  for (const draws of [
    drawing,
    price({ imageOutputPerMillion: 1n }),
    price({ above: { imageOutputPerMillion: 1n } }),
  ]) {
    assert.deepEqual(made(draws), ['image']);
    assert.deepEqual(made(draws, {}, 'streamGenerateContent'), ['image']);
    assert.deepEqual(made(draws, { generationConfig: { responseModalities: ['TEXT'] } }), []);
    assert.deepEqual(made(draws, { generation_config: { response_modalities: ['TEXT'] } }), []);
    for (const responseModalities of [null, [], ['TEXT', 'IMAGE']]) {
      assert.deepEqual(made(draws, { generationConfig: { responseModalities } }), ['image']);
    }
    assert.deepEqual(made(draws, {}, 'countTokens'), []);
  }
  assert.deepEqual(made(price({})), []);
  assert.deepEqual(made(undefined), []);
});
