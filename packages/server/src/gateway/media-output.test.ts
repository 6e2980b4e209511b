import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelCall } from '../../test/model-call.ts';
import { readMediaOutput } from './media-output.ts';

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
