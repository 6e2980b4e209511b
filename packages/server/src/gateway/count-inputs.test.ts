import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCall } from '../../test/model-call.ts';
import { countMediaParts } from './count-inputs.ts';

describe('parts of a response that are no text', () => {
  const count = (input: unknown) => countMediaParts('responses', modelCall({ model: 'm', input }).scan);
  const user = (...content: readonly object[]) => ({ role: 'user', content });

  test('text has none', () => {
    for (const input of [
      'an image of a file',
      [{ role: 'user', content: 'x' }],
      [user({ type: 'input_text', text: 'input_image' }), { type: 'function_call_output', output: 'x' }],
      [
        {
          type: 'message',
          role: 'assistant',
          content: [{ type: 'output_text', text: 'x', annotations: [] }],
        },
      ],
      [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'x' }], encrypted_content: 'x' }],
    ]) {
      assert.equal(count(input), 0);
    }
  });

  test('images, recordings, files, screens and what is not known count, wherever they are', () => {
    assert.equal(count([user({ type: 'input_image', image_url: 'data:' }, { type: 'input_audio' })]), 2);
    assert.equal(count([user({ type: 'input_file', file_data: 'data:' })]), 1);
    assert.equal(count([user({ type: 'of_tomorrow' })]), 1);
    assert.equal(count([{ type: 'function_call_output', output: [{ type: 'input_image' }] }]), 1);
    assert.equal(count([{ type: 'computer_call_output', output: { type: 'computer_screenshot' } }]), 1);
  });

  test('a file that is only named may be as long as the model can read', () => {
    for (const named of [{ file_url: 'https://x.example' }, { file_id: 'file_1' }]) {
      assert.equal(count([user({ type: 'input_file', ...named })]), 100);
    }
  });
});
