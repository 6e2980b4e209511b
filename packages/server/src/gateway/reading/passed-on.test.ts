import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import { Form, readForm } from '../../kernel/multipart.ts';
import type { Endpoint } from '../../providers/provider.ts';
import { findProvider } from '../../providers/registry.ts';
import { findForbidden } from './passed-on.ts';

function forbiddenIn(
  body: object,
  of: { readonly provider?: string; readonly endpoint?: Endpoint; readonly mediaParts?: number } = {},
) {
  const { provider: id = 'openai-compatible', endpoint = 'chat.completions', mediaParts = 0 } = of;
  const provider = findProvider(id);
  assert.ok(provider);
  return findForbidden({ ...modelCall({ model: 'm', ...body }, { endpoint }), mediaParts }, provider)?.detail;
}

describe('a call that passes as it is', () => {
  test('may not have another gateway choose another model, or run something beside it', () => {
    for (const [field, value] of [
      ['models', ['cheap', 'dear']],
      ['fallbacks', ['dear']],
      ['context_window_fallbacks', [{ cheap: ['dear'] }]],
      ['content_policy_fallbacks', [{ cheap: ['dear'] }]],
      ['route', 'fallback'],
      ['provider', { order: ['Dear'] }],
      ['providerOptions', { gateway: { models: ['dear'] } }],
      ['plugins', [{ id: 'web' }]],
      ['preset', 'dear'],
      ['extra_body', { model: 'dear' }],
    ] as const) {
      const refusal = forbiddenIn({ [field]: value });
      assert.equal(refusal?.param, field);
      assert.match(refusal?.message ?? '', /another model/);
      assert.equal(forbiddenIn({ [field]: value }, { provider: 'openai' }), undefined);
      assert.equal(forbiddenIn({ [field]: null }), undefined);
      assert.equal(forbiddenIn({ [field]: value }, { endpoint: 'embeddings' })?.param, field);
    }
    // It only shortens what is too long.
    assert.equal(forbiddenIn({ transforms: ['middle-out'] }), undefined);
  });

  test('may not have such a server run tools, which may ask other models and are charged by the piece', () => {
    const tool = (type: unknown) => ({ tools: [{ type: 'function', function: { name: 'f' } }, { type }] });
    for (const type of ['openrouter:advisor', 'web_search', 'builtin_function', 'of_tomorrow']) {
      assert.equal(forbiddenIn(tool(type))?.param, 'tools.1.type', type);
      assert.equal(forbiddenIn(tool(type), { provider: 'openai' }), undefined);
    }
    for (const body of [tool('custom'), tool(null), { tools: null }, { tools: [7] }, { tools: {} }]) {
      assert.equal(forbiddenIn(body), undefined, JSON.stringify(body));
    }
  });

  test('nor in a form', () => {
    const part = (name: string) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\nx\r\n`;
    const form = readForm(Buffer.from(`${part('fallbacks')}--b--\r\n`), 'multipart/form-data; boundary=b');
    assert.ok(form instanceof Form);
    const provider = findProvider('openai-compatible');
    assert.ok(provider);
    const call = { ...modelCall({}), endpoint: 'audio.transcriptions', form, mediaParts: 0 } as const;
    assert.equal(findForbidden(call, provider)?.detail.param, 'fallbacks');
  });

  test('may not name an answer in sound to an earlier call', () => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', audio: { id: 'audio_1' } },
    ];
    for (const provider of ['openai', 'openai-compatible', 'deepseek']) {
      assert.equal(forbiddenIn({ messages }, { provider, mediaParts: 1 })?.param, 'messages.1.audio.id');
    }
    for (const audio of [null, { id: null }, {}]) {
      assert.equal(forbiddenIn({ messages: [{ role: 'assistant', audio }] }, { mediaParts: 1 }), undefined);
    }
    for (const wrong of [{}, 'x', [7, null, 'x', []]]) {
      assert.equal(forbiddenIn({ messages: wrong }, { mediaParts: 1 }), undefined);
    }
  });

  test('may not name a message of Anthropic that is compared or gone on from', () => {
    const of = (body: object) => forbiddenIn(body, { provider: 'anthropic', endpoint: 'messages' })?.param;
    assert.equal(of({ diagnostics: { previous_message_id: 'msg_1' } }), 'diagnostics.previous_message_id');
    assert.equal(of({ diagnostics: { previous_message_id: null } }), undefined);
    assert.equal(of({ diagnostics: null }), undefined);
    assert.equal(of({ thread: { type: 'continue', previous_message_id: 'msg_1' } }), 'thread');
  });

  test('may not name an answer of Google that is gone on from', () => {
    for (const endpoint of ['generateContent', 'streamGenerateContent'] as const) {
      for (const name of ['continuationToken', 'continuation_token']) {
        assert.equal(forbiddenIn({ [name]: 'AA==' }, { provider: 'gemini', endpoint })?.param, name);
        assert.equal(forbiddenIn({ [name]: null }, { provider: 'gemini', endpoint }), undefined);
      }
    }
  });
});
