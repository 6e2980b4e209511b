import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Denial } from '../../kernel/denial.ts';
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import type { ChatRequest } from '../chat.ts';
import { readRequest } from './read-request.ts';

const ask = { role: 'user', content: 'Hello' };
const tool = { name: 'look', input_schema: { type: 'object' } };
const call = { role: 'assistant', content: [{ type: 'tool_use', id: 'c1', name: 'look', input: {} }] };

function read(body: object | string): ChatRequest | Denial {
  const scan = scanJsonObject(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
  assert.ok(!(scan instanceof JsonRefusal));
  return readRequest({ endpoint: 'messages', scan, streamed: false });
}

function chatOf(body: object | string): ChatRequest {
  const chat = read(body);
  assert.ok(!(chat instanceof Denial), JSON.stringify(chat));
  return chat;
}

function refusalOf(body: object): string {
  const denial = read(body);
  assert.ok(denial instanceof Denial, 'it was not refused');
  const { param, message } = denial.detail;
  assert.ok(message !== undefined && message.includes(`'${param}'`), 'the message does not name it');
  return `${denial.code} ${param}`;
}

/** A message of the user's with these blocks. */
const blocks = (...content: object[]) => ({ messages: [{ role: 'user', content }] });
const calls = (fields: object) => ({
  messages: [ask, { role: 'assistant', content: [{ ...call.content[0], ...fields }] }, ask],
});
const image = (source: object) => blocks({ type: 'image', source });
const results = (...content: object[]) => ({ messages: [ask, call, { role: 'user', content }] });

describe('readRequest', () => {
  test("reads the reference's example of a conversation", () => {
    const chat = chatOf({
      model: 'claude-opus-5-5',
      max_tokens: 1024,
      messages: [
        { role: 'user', content: 'Hello there.' },
        { role: 'assistant', content: 'How can I help you?' },
        { role: 'user', content: 'Can you explain LLMs in plain English?' },
      ],
    });
    assert.deepEqual(chat.settings, { outputTokensMax: 1024 });
    assert.deepEqual(
      chat.turns.map(({ role, at }) => [role, at]),
      [
        ['user', 'messages.0'],
        ['assistant', 'messages.1'],
        ['user', 'messages.2'],
      ],
    );
    assert.deepEqual(chat.turns[0]?.parts, [
      { kind: 'text', at: 'messages.0.content', text: 'Hello there.' },
    ]);
  });

  test('what only concerns the cache, the account or the cutting of a stream is passed over', () => {
    const cache_control = { type: 'ephemeral', ttl: '1h' };
    const chat = chatOf({
      cache_control,
      service_tier: 'standard_only',
      inference_geo: 'global',
      speed: 'standard',
      system: [{ type: 'text', text: 'Be brief.', cache_control }],
      tools: [
        { ...tool, cache_control, eager_input_streaming: true, type: 'custom', allowed_callers: ['direct'] },
      ],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hello', cache_control, citations: null }] },
        {
          role: 'assistant',
          content: [
            {
              type: 'tool_use',
              id: 'c1',
              name: 'look',
              input: {},
              cache_control,
              caller: { type: 'direct' },
            },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', cache_control }] },
      ],
    });
    assert.equal(chat.system[0]?.at, 'system.0');
    assert.deepEqual(chat.tools, [{ at: 'tools.0', name: 'look', schema: { type: 'object' } }]);
    assert.deepEqual(chat.settings, {});
  });

  test('numbers of tool arguments keep their digits', () => {
    const messages = `[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"n",
      "input":{"id":12345678901234567890,"f":1.5}}]},{"role":"user","content":"y"}]`;
    const [, turn] = chatOf(`{"messages":${messages}}`).turns;
    const [part] = turn?.parts ?? [];
    assert.equal(part?.kind === 'tool_call' && part.argumentsJson, '{"id":12345678901234567890,"f":1.5}');
  });

  test('an effort is what adaptive thinking is steered by', () => {
    const reasoningOf = (body: object) => chatOf({ messages: [ask], ...body }).settings.reasoning;
    const effort = { output_config: { effort: 'low' } };
    assert.deepEqual(reasoningOf(effort), { effort: 'low' });
    assert.deepEqual(reasoningOf({ ...effort, thinking: { type: 'adaptive' } }), { effort: 'low' });
    assert.deepEqual(reasoningOf({ thinking: { type: 'adaptive', display: 'omitted' } }), {
      isAdaptive: true,
      isShown: false,
    });
    assert.deepEqual(reasoningOf({ thinking: { type: 'disabled' } }), { effort: 'none' });
    assert.equal(chatOf({ messages: [ask], ...effort }).names.reasoning, 'output_config.effort');
    assert.equal(chatOf({ messages: [ask], thinking: { type: 'adaptive' } }).names.reasoning, 'thinking');
  });

  const wrong: readonly [string, object][] = [
    ['messages', {}],
    ['messages', { messages: [] }],
    ['messages', { messages: 'x' }],
    ['messages.0', { messages: ['x'] }],
    ['messages.0.role', { messages: [{ role: 'tool', content: 'x' }] }],
    ['messages.0.role', { messages: [{ role: 'system', content: 'x' }, ask] }],
    ['messages.0.content', { messages: [{ role: 'user' }] }],
    ['messages.0.content', { messages: [{ role: 'user', content: '' }] }],
    ['messages.0.content', { messages: [{ role: 'user', content: [] }] }],
    ['messages.0.content.0.text', blocks({ type: 'text', text: '' })],
    ['messages.0.content.0.source', blocks({ type: 'image' })],
    [
      'messages.0.content.0.source.media_type',
      image({ type: 'base64', media_type: 'image/bmp', data: 'AAAA' }),
    ],
    ['messages.0.content.0.source.media_type', image({ type: 'base64', data: 'AAAA' })],
    ['messages.0.content.0.source.data', image({ type: 'base64', media_type: 'image/png', data: 'AA A' })],
    ['messages.0.content.0.source.data', image({ type: 'base64', media_type: 'image/png', data: 'AAA' })],
    [
      'messages.0.content.0.source.data',
      image({ type: 'base64', media_type: 'image/png', data: 'A'.repeat(26_666_672) }),
    ],
    ['messages.0.content.0.source.url', image({ type: 'url', url: 'file:///etc/passwd' })],
    ['messages.1.content.0.input', calls({ input: [] })],
    ['messages.1.content.0.input', calls({ input: null })],
    ['messages.1.content.0.id', calls({ id: '' })],
    ['messages.2.content.0.tool_use_id', results({ type: 'tool_result', tool_use_id: 'c2' })],
    ['messages.0.content.0.tool_use_id', blocks({ type: 'tool_result', tool_use_id: 'c1' })],
    ['tools.0.name', { messages: [ask], tools: [{ ...tool, name: 'a b' }] }],
    ['tools.1.name', { messages: [ask], tools: [tool, tool] }],
    ['tools.0.input_schema', { messages: [ask], tools: [{ name: 'look' }] }],
    ['tools.0.input_schema', { messages: [ask], tools: [{ name: 'look', input_schema: { type: 'array' } }] }],
    ['tools.0.input_schema', { messages: [ask], tools: [{ name: 'look', input_schema: nested(33) }] }],
    ['tool_choice.type', { messages: [ask], tool_choice: { type: 'some' } }],
    ['tool_choice.name', { messages: [ask], tool_choice: { type: 'tool' } }],
    ['max_tokens', { messages: [ask], max_tokens: 1.5 }],
    ['temperature', { messages: [ask], temperature: 1.1 }],
    ['top_p', { messages: [ask], top_p: -0.1 }],
    ['top_k', { messages: [ask], top_k: -1 }],
    ['stop_sequences.1', { messages: [ask], stop_sequences: ['a', '\n'] }],
    ['metadata.user_id', { messages: [ask], metadata: { user_id: 'x'.repeat(513) } }],
    ['thinking.type', { messages: [ask], thinking: { type: 'hard' } }],
    ['thinking.budget_tokens', { messages: [ask], thinking: { type: 'enabled' } }],
    ['thinking.budget_tokens', { messages: [ask], thinking: { type: 'enabled', budget_tokens: 1023 } }],
    [
      'thinking.budget_tokens',
      { messages: [ask], max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 2000 } },
    ],
    ['output_config.effort', { messages: [ask], output_config: { effort: 'minimal' } }],
    [
      'output_config.format.type',
      { messages: [ask], output_config: { format: { type: 'json', schema: {} } } },
    ],
    ['output_config.format.schema', { messages: [ask], output_config: { format: { type: 'json_schema' } } }],
    ['system.0.type', { messages: [ask], system: [{ type: 'image', text: 'x' }] }],
  ];
  for (const [index, [param, body]] of wrong.entries()) {
    test(`${param} is refused as wrong (${index})`, () =>
      assert.equal(refusalOf(body), `invalid_request ${param}`));
  }

  const foreign: readonly [string, object][] = [
    ['messages.1.role', { messages: [ask, { role: 'assistant', content: 'I would' }] }],
    ['messages.0.content.0.type', blocks({ type: 'search_result', source: 'x', title: 'x', content: [] })],
    ['messages.0.content.0.source.type', image({ type: 'file', file_id: 'file_1' })],
    ['messages.0.content.0.transformations', blocks({ ...imageBlock(), transformations: {} })],
    ['messages.0.content.0.context', blocks({ ...textDocument(), context: 'x' })],
    ['messages.0.content.0.citations.enabled', blocks({ ...textDocument(), citations: { enabled: true } })],
    ['messages.0.content.0.citations', blocks({ type: 'text', text: 'x', citations: [{}] })],
    ['messages.0.x', { messages: [{ ...ask, x: 1 }] }],
    [
      'messages.1.content.0.type',
      { messages: [ask, { role: 'assistant', content: [{ type: 'server_tool_use' }] }] },
    ],
    ['tools.0.type', { messages: [ask], tools: [{ type: 'web_search_20260318', name: 'web_search' }] }],
    ['tools.0.input_examples', { messages: [ask], tools: [{ ...tool, input_examples: [] }] }],
    [
      'tools.0.allowed_callers',
      { messages: [ask], tools: [{ ...tool, allowed_callers: ['code_execution_20260521'] }] },
    ],
    ['max_tokens', { messages: [ask], max_tokens: 0 }],
    ['thinking.type', { messages: [ask], thinking: { type: 'between_tools' } }],
    ['thinking.type', { messages: [ask], thinking: { type: 'disabled' }, output_config: { effort: 'low' } }],
    ['inference_geo', { messages: [ask], inference_geo: 'us' }],
    ['speed', { messages: [ask], speed: 'fast' }],
    ['container', { messages: [ask], container: 'c' }],
    ['diagnostics', { messages: [ask], diagnostics: {} }],
    ['output_format', { messages: [ask], output_format: {} }],
  ];
  for (const [index, [param, body]] of foreign.entries()) {
    test(`${param} is refused as nobody else's (${index})`, () =>
      assert.equal(refusalOf(body), `unsupported_parameter ${param}`));
  }

  test('whatever stands in a field, the request is read or a field is named, and nothing is thrown', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('text', 'user', 'system', 'adaptive', '', -1, 1e30),
    );
    fc.assert(
      fc.property(fc.constantFrom(...PATHS), value, (path, wrong) => {
        const body = JSON.stringify(replaced(WHOLE, path, wrong));
        // Keys such as `__proto__` are refused before a request is read.
        fc.pre(!(scanJsonObject(Buffer.from(body)) instanceof JsonRefusal));
        const chat = read(body);
        if (chat instanceof Denial) assert.notEqual(chat.detail.param ?? '', '');
      }),
      { numRuns: 1000 },
    );
  });

  test('a schema may be as deep as the limit', () => {
    const chat = chatOf({ messages: [ask], tools: [{ name: 'look', input_schema: nested(32) }] });
    assert.equal(chat.tools.length, 1);
  });
});

const WHOLE = {
  max_tokens: 2000,
  system: [{ type: 'text', text: 'x' }],
  temperature: 1,
  top_k: 3,
  stop_sequences: ['a'],
  metadata: { user_id: 'u' },
  thinking: { type: 'enabled', budget_tokens: 1024, display: 'summarized' },
  output_config: { effort: 'low', format: { type: 'json_schema', schema: { type: 'object' } } },
  tools: [{ ...tool, strict: true, description: 'd', allowed_callers: ['direct'] }],
  tool_choice: { type: 'tool', name: 'look', disable_parallel_tool_use: true },
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'a' }, imageBlock(), textDocument()] },
    { role: 'assistant', content: [{ type: 'thinking', thinking: 'a', signature: 'b' }, ...call.content] },
    {
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: 'c1', content: [{ type: 'text', text: 'r' }] }],
    },
  ],
};
const PATHS = pathsIn(WHOLE, []);

function pathsIn(value: unknown, path: readonly string[]): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsIn(inner, [...path, key])]);
}

function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => (String(index) === key ? replaced(item, rest, by) : item));
  }
  const fields = value as Record<string, unknown>;
  return { ...fields, [key]: replaced(fields[key], rest, by) };
}

/** A schema of so many levels. */
function nested(levels: number): object {
  let schema: object = {};
  for (let level = 2; level < levels; level++) schema = { items: schema };
  return { type: 'object', items: schema };
}

function imageBlock(): object {
  return { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } };
}

function textDocument(): object {
  return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'x' } };
}
