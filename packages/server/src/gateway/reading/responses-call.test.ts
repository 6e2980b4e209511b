import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import { findHostedTool, findStored } from './responses-call.ts';

const scanOf = (body: object) => modelCall({ model: 'm', ...body }).scan;
const hostedIn = (body: object) => findHostedTool(scanOf(body))?.detail.param;
const storedIn = (body: object) => findStored(scanOf(body))?.detail.param;

describe('tools of a response', () => {
  test('those that the client runs pass', () => {
    const environment = { type: 'local' };
    const named = { type: 'namespace', tools: [{ type: 'function' }, { type: 'custom' }] };
    const types = ['function', 'custom', 'local_shell', 'apply_patch', 'computer', 'computer_use_preview'];
    const tools = [...types.map((type) => ({ type })), { type: 'shell', environment }, named];
    assert.equal(hostedIn({ tools }), undefined);
    for (const body of [{}, { tools: null }, { tools: [] }]) assert.equal(hostedIn(body), undefined);
  });

  test('those that OpenAI runs are refused by name, also those that are not known yet', () => {
    for (const tool of [
      { type: 'web_search' },
      { type: 'web_search_preview' },
      { type: 'file_search', vector_store_ids: ['v'] },
      { type: 'code_interpreter', container: { type: 'auto' } },
      { type: 'image_generation' },
      { type: 'mcp', server_url: 'https://x.example' },
      { type: 'shell' },
      { type: 'shell', environment: { type: 'container_auto' } },
      { type: 'namespace', tools: [{ type: 'web_search' }] },
      { type: 'tool_search' },
      { type: 'of_tomorrow' },
      {},
      null,
    ]) {
      assert.equal(hostedIn({ tools: [{ type: 'function' }, tool] }), 'tools.1.type', JSON.stringify(tool));
    }
    assert.equal(hostedIn({ tools: {} }), 'tools');
    assert.equal(hostedIn({ context_management: [{ type: 'compaction' }] }), 'context_management');
  });
});

describe('what OpenAI stores', () => {
  test('is refused by the name of the field that refers to it', () => {
    assert.equal(storedIn({ previous_response_id: 'resp_1', input: 'x' }), 'previous_response_id');
    assert.equal(storedIn({ conversation: { id: 'conv_1' } }), 'conversation');
    assert.equal(storedIn({ prompt: { id: 'pmpt_1' } }), 'prompt');
    assert.equal(storedIn({ background: true }), 'background');
    assert.equal(
      storedIn({ prompt_cache_options: { ttl: '12h', comparison_response_id: 'resp_1' } }),
      'prompt_cache_options.comparison_response_id',
    );
    const items = [
      { type: 'item_reference', id: 'msg_1' },
      { id: 'msg_1' },
      { type: null, id: 'msg_1' },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: '' },
      { type: 'image_generation_call', id: 'ig_1', result: null },
      { type: 'web_search_call', id: 'ws_1' },
      { type: 7 },
    ];
    for (const item of items) {
      assert.equal(
        storedIn({ input: [{ role: 'user', content: 'x' }, item] }),
        'input.1',
        JSON.stringify(item),
      );
    }
  });

  test('a whole conversation refers to nothing', () => {
    const input = [
      { role: 'user', content: 'x' },
      { type: 'message', id: 'msg_1', role: 'assistant', content: [], status: 'completed' },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAA' },
      { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: 'y' },
    ];
    for (const body of [
      { input },
      { input: 'x' },
      {},
      {
        input: 'x',
        previous_response_id: null,
        conversation: null,
        prompt: null,
        prompt_cache_options: { ttl: '12h', comparison_response_id: null },
        background: false,
        store: true,
      },
    ]) {
      assert.equal(storedIn(body), undefined);
    }
  });
});
