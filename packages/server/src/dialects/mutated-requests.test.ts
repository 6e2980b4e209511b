/** Requests that are right but in one place: each is read or refused, in every dialect and towards every provider. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Denial } from '../kernel/denial.ts';
import { JsonRefusal, scanJsonObject } from '../kernel/json-scan.ts';
import { anthropicClient, anthropicProvider } from './anthropic/dialect.ts';
import type { ClientDialect } from './dialect.ts';
import { geminiClient, geminiProvider } from './gemini/dialect.ts';
import { openaiClient, openaiProvider } from './openai/dialect.ts';
import { responsesClient } from './responses/dialect.ts';

const IMAGE = 'iVBORw0KGgo=';
const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

const REQUESTS: readonly {
  readonly name: string;
  readonly client: ClientDialect;
  readonly request: object;
}[] = [
  {
    name: 'chat completions',
    client: openaiClient,
    request: {
      model: 'm',
      messages: [
        { role: 'system', content: 'Be terse.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Hi' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${IMAGE}`, detail: 'auto' } },
          ],
        },
        {
          role: 'assistant',
          content: 'Ho',
          reasoning_details: [{ type: 'reasoning', text: 'r', signature: 'kf.anthropic.QQ==' }],
          tool_calls: [
            { id: 'c__kf_gemini_QQ', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c__kf_gemini_QQ', content: 'done' },
      ],
      tools: [{ type: 'function', function: { name: 'f', parameters: SCHEMA, strict: false } }],
      tool_choice: { type: 'function', function: { name: 'f' } },
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema: SCHEMA } },
      stop: ['a'],
      reasoning_effort: 'low',
      max_completion_tokens: 9,
    },
  },
  {
    name: 'Responses',
    client: responsesClient,
    request: {
      model: 'm',
      instructions: 'Be terse.',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
        {
          type: 'reasoning',
          summary: [{ type: 'summary_text', text: 'r' }],
          encrypted_content: 'kf.anthropic.QQ==',
        },
        {
          type: 'message',
          role: 'assistant',
          content: [{ type: 'output_text', text: 'Ho', annotations: [] }],
        },
        { type: 'function_call', call_id: 'c', name: 'f', arguments: '{"a":1}' },
        { type: 'function_call_output', call_id: 'c', output: 'done' },
      ],
      tools: [{ type: 'function', name: 'f', parameters: SCHEMA }],
      tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'f' }] },
      text: { format: { type: 'json_schema', name: 'a', schema: SCHEMA } },
      reasoning: { effort: 'low', summary: 'auto' },
      include: ['reasoning.encrypted_content'],
    },
  },
  {
    name: 'Messages',
    client: anthropicClient,
    request: {
      model: 'm',
      max_tokens: 2_000,
      system: [{ type: 'text', text: 'Be terse.', cache_control: { type: 'ephemeral' } }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Hi' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: IMAGE } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'r', signature: 'QQ==' },
            { type: 'tool_use', id: 'c', name: 'f', input: { a: 12_345 } },
          ],
        },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: 'c', content: 'done', is_error: true }],
        },
      ],
      tools: [{ name: 'f', input_schema: SCHEMA }],
      tool_choice: { type: 'auto', disable_parallel_tool_use: false },
      thinking: { type: 'enabled', budget_tokens: 1_024, display: 'summarized' },
      output_config: { format: { type: 'json_schema', schema: SCHEMA } },
      metadata: { user_id: 'u' },
      stop_sequences: ['a'],
    },
  },
  {
    name: 'Gemini',
    client: geminiClient,
    request: {
      system_instruction: { parts: [{ text: 'Be terse.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'Hi' }, { inlineData: { mimeType: 'image/png', data: IMAGE } }] },
        {
          role: 'model',
          parts: [
            { text: 'r', thought: true },
            { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'QQ==' },
          ],
        },
        { role: 'user', parts: [{ functionResponse: { name: 'f', response: { output: 'done' } } }] },
      ],
      tools: [
        {
          functionDeclarations: [
            {
              name: 'f',
              parameters: { type: 'OBJECT', properties: { a: { type: 'STRING', nullable: true } } },
            },
          ],
        },
      ],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] } },
      generationConfig: {
        topK: 3,
        stopSequences: ['a'],
        responseMimeType: 'application/json',
        responseSchema: { type: 'OBJECT', properties: { n: { type: 'INTEGER', enum: ['1'] } } },
        thinkingConfig: { thinkingBudget: 10, includeThoughts: true },
      },
    },
  },
];

const TARGETS = [
  { provider: openaiProvider, model: 'gpt-5' },
  { provider: anthropicProvider, model: 'claude-sonnet-4-6' },
  { provider: anthropicProvider, model: 'claude-opus-5-5' },
  { provider: geminiProvider, model: 'gemini-2.5-flash' },
  { provider: geminiProvider, model: 'gemini-3-pro' },
];

/** JSON text: a number beyond all doubles has no other form. */
const anyJson = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom('null', '""', '[]', '{}', '[null]', '[[]]', '1e400', '123456789012345678901', '-1', '"{}"'),
);

describe('a request that is wrong in one place', () => {
  for (const { name, client, request } of REQUESTS) {
    const json = JSON.stringify(request);

    test(`${name} is read as it stands, and written or refused`, () => {
      assert.notEqual(run(client, json), 'invalid');
    });

    test(`${name} is read or refused by the name of a field, whatever stands there`, () => {
      const places = placesIn(request);
      fc.assert(
        fc.property(fc.constantFrom(...places), anyJson, (place, value) => {
          run(client, replaceAt(request, place, value));
        }),
        { numRuns: 1_500 },
      );
    });
  }
});

/** Reads and writes it. Throws where it is neither read nor refused by a name. */
function run(client: ClientDialect, json: string): 'invalid' | 'read' {
  const scan = scanJsonObject(Buffer.from(json));
  if (scan instanceof JsonRefusal) return 'invalid';
  const chat = client.readRequest({ endpoint: 'chat.completions', scan, streamed: false });
  if (chat instanceof Denial) {
    assertNamed(chat);
    return 'invalid';
  }
  for (const { provider, model } of TARGETS) {
    const written = provider.writeRequest(chat, model);
    if (written instanceof Denial) assertNamed(written);
    else assert.ok(!(scanJsonObject(written) instanceof JsonRefusal), written.toString());
  }
  return 'read';
}

function assertNamed({ detail }: Denial): void {
  assert.ok(detail.param !== undefined && detail.param !== '', detail.message ?? '');
  assert.ok(detail.message?.startsWith(`'${detail.param}' `), detail.message ?? '');
}

type Place = readonly string[];

function placesIn(value: unknown, at: Place = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  const within = Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...at, key]));
  return at.length === 0 ? within : [at, ...within];
}

const HOLE = '"a hole of the test"';

/** The JSON text with other JSON text in one place. */
function replaceAt(request: object, place: Place, json: string): string {
  const copy = structuredClone(request) as Record<string, unknown>;
  let within: Record<string, unknown> = copy;
  for (const key of place.slice(0, -1)) within = within[key] as Record<string, unknown>;
  within[place.at(-1) ?? ''] = JSON.parse(HOLE);
  return JSON.stringify(copy).replace(HOLE, () => json);
}
