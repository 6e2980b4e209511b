/** docs/translation.md is true: its requests are read, its refusals happen, and no field of a vendor's request is missing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { anthropicClient, anthropicProvider } from '../src/dialects/anthropic/dialect.ts';
import type { ChatRequest, Effort, Setting, StopReason } from '../src/dialects/chat.ts';
import type { ClientDialect, ProviderDialect } from '../src/dialects/dialect.ts';
import { geminiClient, geminiProvider } from '../src/dialects/gemini/dialect.ts';
import { openaiClient, openaiProvider } from '../src/dialects/openai/dialect.ts';
import { EFFORTS } from '../src/dialects/openai/limits.ts';
import { CONTEXT, accepted, sent } from '../src/dialects/openai/test-openai.ts';
import { responsesClient } from '../src/dialects/responses/dialect.ts';
import { Denial } from '../src/kernel/denial.ts';

const text = readFileSync(new URL('../../../docs/translation.md', import.meta.url), 'utf8');

interface Side {
  readonly client: ClientDialect;
  /** The least that can be asked. */
  readonly request: object;
}

const CLIENTS: Readonly<Record<string, Side>> = {
  'chat completions': {
    client: openaiClient,
    request: { model: 'm', messages: [{ role: 'user', content: 'Hi' }] },
  },
  Responses: { client: responsesClient, request: { model: 'm', input: 'Hi' } },
  Messages: {
    client: anthropicClient,
    request: { model: 'm', max_tokens: 2_000, messages: [{ role: 'user', content: 'Hi' }] },
  },
  Gemini: { client: geminiClient, request: { contents: [{ parts: [{ text: 'Hi' }] }] } },
};

interface Model {
  readonly provider: ProviderDialect;
  readonly model: string;
}

const MODELS: Readonly<Record<string, Model>> = {
  "OpenAI's dialect": { provider: openaiProvider, model: 'gpt-5-mini' },
  'Claude Sonnet 4.5': { provider: anthropicProvider, model: 'claude-sonnet-4-5' },
  'Claude Sonnet 4.6': { provider: anthropicProvider, model: 'claude-sonnet-4-6' },
  'Claude Opus 4.7': { provider: anthropicProvider, model: 'claude-opus-4-7' },
  'Gemini 2.5 Flash': { provider: geminiProvider, model: 'gemini-2.5-flash' },
  'Gemini 2.5 Pro': { provider: geminiProvider, model: 'gemini-2.5-pro' },
  'Gemini 3 Flash': { provider: geminiProvider, model: 'gemini-3-flash' },
  'Gemini 3 Pro': { provider: geminiProvider, model: 'gemini-3-pro' },
};

const SETTINGS: Readonly<Record<Setting, string>> = {
  outputTokensMax: 'limit on output',
  temperature: 'temperature',
  topP: 'top p',
  topK: 'top k',
  frequencyPenalty: 'frequency penalty',
  presencePenalty: 'presence penalty',
  seed: 'seed',
  stop: 'stop sequences',
  choices: 'number of answers',
  logprobs: 'log probabilities',
  output: 'form of the answer',
  reasoning: 'reasoning',
  toolChoice: 'choice of tools',
  isParallelToolUseAllowed: 'calls side by side',
  userId: "the user's name",
};

const STOPS: Readonly<Record<StopReason, string>> = {
  end: 'it was done',
  length: 'the limit on output',
  tool_calls: 'it calls tools',
  stop_sequence: 'a stop sequence',
  filter: "the vendor's filter",
  refusal: 'the model will not',
};

const REQUEST_TYPES = [
  {
    client: 'chat completions',
    type: 'ChatCompletionCreateParamsBase',
    file: 'openai/resources/chat/completions/completions.d.ts',
  },
  {
    client: 'Responses',
    type: 'ResponseCreateParamsBase',
    file: 'openai/resources/responses/responses.d.ts',
  },
  {
    client: 'Messages',
    type: 'MessageCreateParamsBase',
    file: '@anthropic-ai/sdk/resources/messages/messages.d.ts',
  },
] as const;

describe('docs/translation.md', () => {
  for (const [name, request] of rowsOf('Passed over')) {
    test(`${name}: ${request} is passed over`, () => {
      const chat = accepted(read(name, request));
      for (const { provider, model } of Object.values(MODELS)) {
        const written = accepted(provider.writeRequest(chat, model));
        assert.deepEqual(written, accepted(provider.writeRequest(accepted(read(name, '`{}`')), model)));
      }
    });
  }

  for (const [name, request, field] of rowsOf('Refused whatever the model')) {
    test(`${name}: ${request} is refused`, () => assert.equal(refusedBy(read(name, request)), field));
  }

  for (const [name, modelName = '', request, field] of rowsOf('Refused towards some')) {
    test(`${name} to ${modelName}: ${request} is refused`, () => {
      const target = MODELS[modelName];
      assert.ok(target);
      const chat = accepted(read(name, request));
      assert.equal(refusedBy(target.provider.writeRequest(chat, target.model)), field);
    });
  }

  test('settings have the names by which they are refused', () => {
    const rows = rowsOf('Settings');
    assert.deepEqual(
      rows.map(([what]) => what),
      Object.values(SETTINGS),
    );
    for (const [index, [name]] of Object.entries(CLIENTS).entries()) {
      const thinking = name === 'Messages' ? '`{"thinking": {"type": "adaptive"}}`' : '`{}`';
      const { names } = accepted(read(name, thinking));
      for (const [row, setting] of (Object.keys(SETTINGS) as Setting[]).entries()) {
        const written = rows[row]?.[index + 1];
        if (written !== '–') assert.equal(written, `\`${names[setting]}\``, `${name}: ${setting}`);
      }
    }
  });

  test('each effort is what the table says', () => {
    const [, ...models] = headOf('Reasoning');
    assert.deepEqual(models, Object.keys(MODELS));
    assert.deepEqual(
      rowsOf('Reasoning'),
      EFFORTS.map((effort) => [`\`${effort}\``, ...models.map((model) => effortOf(effort, MODELS[model]))]),
    );
  });

  test('each end is told as the table says', () => {
    assert.deepEqual(
      rowsOf('Answers'),
      Object.entries(STOPS).map(([reason, what]) => [what, ...tellStop(reason as StopReason)]),
    );
  });

  for (const { client, type, file } of REQUEST_TYPES) {
    test(`every field of ${type} is in a table, as one of ${client}`, () => {
      const fields = fieldsIn(
        readFileSync(new URL(`../../../node_modules/${file}`, import.meta.url), 'utf8'),
        type,
      );
      assert.ok(fields.length > 10, `${fields.length} fields`);
      const told = fieldsTold(client);
      assert.deepEqual(
        fields.filter((field) => !told.has(field)),
        [],
      );
    });
  }
});

function read(name = '', request = ''): ChatRequest | Denial {
  const side = CLIENTS[name];
  assert.ok(side, name);
  const fields = JSON.parse(request.slice(1, -1)) as object;
  return side.client.readRequest(sent({ ...side.request, ...fields }));
}

function refusedBy(value: unknown): string {
  assert.ok(value instanceof Denial, 'it was accepted');
  assert.equal(value.code, 'unsupported_parameter', value.detail.message ?? '');
  return `\`${value.detail.param}\``;
}

function effortOf(effort: Effort, target: Model | undefined): string {
  assert.ok(target);
  const chat = accepted(read('chat completions', `\`{"reasoning_effort": "${effort}"}\``));
  const written = target.provider.writeRequest(chat, target.model);
  if (written instanceof Denial) return 'refused';
  const body = JSON.parse(written.toString()) as {
    reasoning_effort?: string;
    thinking?: { type: string };
    output_config?: { effort: string };
    generationConfig?: { thinkingConfig: { thinkingBudget?: number; thinkingLevel?: string } };
  };
  const { thinkingBudget, thinkingLevel } = body.generationConfig?.thinkingConfig ?? {};
  const tokens = thinkingBudget === undefined ? undefined : `${thinkingBudget} tokens`;
  const words = [
    body.reasoning_effort,
    body.thinking?.type,
    body.output_config?.effort,
    tokens,
    thinkingLevel,
  ];
  return words.filter((word) => word !== undefined).join(', ');
}

/** What the clients are told, in the order of the columns. */
function tellStop(reason: StopReason): readonly string[] {
  const answer = { id: 'a', model: 'm', choices: [{ parts: [], stop: { reason } }], usage: undefined };
  return Object.values(CLIENTS).map(({ client }) => {
    const told = JSON.parse(client.writeAnswer(answer, CONTEXT).toString()) as {
      choices?: { finish_reason: string }[];
      stop_reason?: string;
      candidates?: { finishReason: string }[];
      status?: string;
      incomplete_details?: { reason: string } | null;
    };
    const { choices, candidates, stop_reason: stop, status, incomplete_details: details } = told;
    const word = choices?.[0]?.finish_reason ?? candidates?.[0]?.finishReason ?? stop ?? status;
    return details === null || details === undefined ? `\`${word}\`` : `\`${word}\`, \`${details.reason}\``;
  });
}

/** The rows of the first table of a section, cell by cell. */
function rowsOf(section: string): readonly (readonly string[])[] {
  return linesOf(section)
    .slice(2)
    .map((line) => cellsOf(line));
}

function headOf(section: string): readonly string[] {
  return cellsOf(linesOf(section)[0] ?? '');
}

function linesOf(section: string): readonly string[] {
  const body = text.split(/^## /m).find((each) => each.startsWith(`${section}\n`));
  const table = /(?:^\|.*\n)+/m.exec(body ?? '')?.[0];
  assert.ok(table !== undefined, section);
  return table.trimEnd().split('\n');
}

function cellsOf(line: string): readonly string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
}

/** The fields at the top of a client's request that the tables name: in its own column, or in a request of its own. */
function fieldsTold(client: string): ReadonlySet<string> {
  const told = new Set<string>();
  for (const section of ['The conversation', 'Settings', 'Further fields']) {
    const column = headOf(section).indexOf(client);
    for (const row of rowsOf(section)) {
      for (const [, field = ''] of (row[column] ?? '').matchAll(/`(\w+)[^`]*`/g)) told.add(field);
    }
  }
  for (const section of ['Passed over', 'Refused whatever the model', 'Refused towards some']) {
    for (const [name, ...cells] of rowsOf(section)) {
      const request = cells.find((cell) => cell.startsWith('`{')) ?? '';
      if (name === client)
        for (const field of Object.keys(JSON.parse(request.slice(1, -1)) as object)) told.add(field);
    }
  }
  return told;
}

/** The fields of an interface in a declaration file. */
function fieldsIn(declarations: string, type: string): readonly string[] {
  const [, body = ''] = declarations.split(`export interface ${type} {\n`);
  const own = body.slice(0, body.indexOf('\n}'));
  return [...own.matchAll(/^ {4}(\w+)\??:/gm)].map(([, name = '']) => name);
}
