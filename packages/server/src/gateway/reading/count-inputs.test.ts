import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import type { Endpoint } from '../../providers/provider.ts';
import { countMediaParts } from './count-inputs.ts';

/** All parts, and those of them that are long. */
function counted(endpoint: Endpoint, body: object): readonly [number, number] {
  const { mediaParts, longParts } = countMediaParts(endpoint, modelCall({ model: 'm', ...body }).scan);
  return [mediaParts, longParts];
}

describe('parts of a response that are no text', () => {
  const count = (input: unknown) => counted('responses', { input });
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
      assert.deepEqual(count(input), [0, 0]);
    }
  });

  test('images, recordings, files, screens and what is not known count, wherever they are', () => {
    const image = { type: 'input_image', image_url: 'data:image/png;base64,eA==' };
    assert.deepEqual(count([user(image, { type: 'input_audio' })]), [2, 1]);
    assert.deepEqual(count([user({ type: 'input_file', file_data: 'data:' })]), [1, 1]);
    assert.deepEqual(count([user({ type: 'of_tomorrow' })]), [1, 1]);
    assert.deepEqual(count([{ type: 'function_call_output', output: [image] }]), [1, 0]);
    const screen = { type: 'computer_screenshot', image_url: 'https://x.example' };
    assert.deepEqual(count([{ type: 'computer_call_output', output: screen }]), [1, 0]);
    const printed = { stdout: 'x', stderr: '', outcome: { type: 'exit', exit_code: 0 } };
    assert.deepEqual(count([{ type: 'shell_call_output', output: [printed] }]), [1, 0]);
  });

  test('a file that is only named may be as long as the model can read', () => {
    for (const named of [{ file_url: 'https://x.example' }, { file_id: 'file_1' }]) {
      assert.deepEqual(count([user({ type: 'input_file', ...named })]), [1, 1]);
    }
  });
});

describe('parts of a message that are no text', () => {
  const count = (...content: readonly unknown[]) =>
    counted('messages', { messages: [{ role: 'user', content }] });
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'eA==' } };

  test('documents are long, unless they are text or say what they are made of', () => {
    for (const type of ['base64', 'url', 'file']) {
      assert.deepEqual(count({ type: 'document', source: { type } }), [1, 1]);
    }
    assert.deepEqual(count({ type: 'document', source: { type: 'text', data: 'x' } }), [1, 0]);
    const made = [{ type: 'text', text: 'x' }, image, image];
    assert.deepEqual(count({ type: 'document', source: { type: 'content', content: made } }), [3, 0]);
    assert.deepEqual(count({ type: 'document', source: { type: 'content', content: 'x' } }), [1, 0]);
  });

  test('what a tool gave back counts, and what is known to be as long as its bytes is not long', () => {
    const result = (content: unknown) => ({ type: 'tool_result', tool_use_id: 't', content });
    assert.deepEqual(count(result('x')), [1, 0]);
    assert.deepEqual(count(result([image, { type: 'document', source: { type: 'base64' } }])), [3, 1]);
    assert.deepEqual(count({ type: 'thinking', thinking: 'x' }, { type: 'tool_use', input: {} }), [2, 0]);
    assert.deepEqual(count({ type: 'container_upload', file_id: 'f' }), [1, 1]);
    assert.deepEqual(count([image]), [1, 1]);
  });
});

test("a chat's films, sounds and files are long, also where they are called images", () => {
  const count = (part: object) =>
    counted('chat.completions', { messages: [{ role: 'user', content: [part] }] });
  const url = (of: string) => ({ image_url: { url: of } });
  for (const image of [
    { type: 'image_url', ...url('https://x.example') },
    { type: 'image_url', ...url('data:image/png;base64,eA==') },
    url('https://x.example'),
  ]) {
    assert.deepEqual(count(image), [1, 0]);
  }
  for (const long of [
    { type: 'image_url', ...url('data:video/mp4;base64,eA==') },
    { type: 'image_url', image_url: ' DATA:application/pdf;base64,eA==' },
    { ...url('https://x.example'), video_url: {} },
    { type: 'video_url', video_url: {} },
    { type: 'input_audio', input_audio: {} },
    { type: 'file', file: { file_data: 'eA==' } },
    { type: 'file', file: { file_id: 'file_1' } },
  ]) {
    assert.deepEqual(count(long), [1, 1], JSON.stringify(long));
  }
});

describe("parts of Gemini's contents that are no text", () => {
  const count = (...parts: readonly object[]) => counted('generateContent', { contents: [{ parts }] });

  test('only what says that it is an image is none that is long', () => {
    assert.deepEqual(count({ inlineData: { mimeType: 'image/webp' } }), [1, 0]);
    assert.deepEqual(count({ inline_data: { mime_type: 'IMAGE/png' } }), [1, 0]);
    for (const mimeType of ['application/pdf', 'video/mp4', 'audio/mp3', '', undefined]) {
      assert.deepEqual(count({ inlineData: { mimeType } }), [1, 1]);
    }
    assert.deepEqual(count({ fileData: { mimeType: 'image/png' } }), [1, 1]);
  });

  test('what a function gave back counts in either spelling', () => {
    const parts = [{ inlineData: { mimeType: 'image/png' } }, { file_data: {} }];
    for (const name of ['functionResponse', 'function_response']) {
      assert.deepEqual(count({ [name]: { name: 'f', response: {}, parts } }), [2, 1]);
      assert.deepEqual(count({ [name]: { name: 'f', response: { parts } } }), [0, 0]);
    }
  });
});
