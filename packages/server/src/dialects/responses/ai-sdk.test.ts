/** The AI SDK is a client that lives by what it is given: it runs tools and sends the history back in a form of its own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai';
import { generateText, jsonSchema, streamText, tool } from 'ai';
import type { ChatRequest } from '../chat.ts';
import type { ClientDialect } from '../dialect.ts';
import { openaiClient } from '../openai/dialect.ts';
import { answerOf, said, streamOf } from '../openai/test-answers.ts';
import { accepted, CONTEXT, encode, sent } from '../openai/test-openai.ts';
import { responsesClient } from './dialect.ts';
import { RICH, RICH_PARTS } from './test-rich-answer.ts';

/** Answers with a call of tools first, then with text; what was asked is kept. */
function createModel(dialect: ClientDialect): {
  readonly openai: OpenAIProvider;
  readonly asked: ChatRequest[];
} {
  const asked: ChatRequest[] = [];
  const openai = createOpenAI({
    apiKey: 'none',
    fetch: async (_url, init) => {
      assert.ok(typeof init?.body === 'string');
      const streamed = init.body.includes('"stream":true');
      asked.push(accepted(dialect.readRequest(sent(init.body, streamed))));
      const answer =
        asked.length === 1 ? RICH : answerOf({ parts: [said('Done.')], stop: { reason: 'end' } });
      const body = streamed
        ? encode(dialect.createStreamEncoder(CONTEXT), streamOf(answer))
        : dialect.writeAnswer(answer, CONTEXT).toString();
      const type = streamed ? 'text/event-stream' : 'application/json';
      return Promise.resolve(new Response(body, { headers: { 'content-type': type } }));
    },
  });
  return { openai, asked };
}

const works = tool({
  inputSchema: jsonSchema<object>({ type: 'object', properties: {} }),
  execute: async () => Promise.resolve('it works'),
});

const PROMPT = {
  tools: { f: works, g: works },
  prompt: 'Go',
  stopWhen: ({ steps }: { steps: readonly unknown[] }) => steps.length === 2,
};

describe('the AI SDK', () => {
  const STATELESS = { openai: { store: false, reasoningSummary: 'auto', reasoningEffort: 'low' } };

  for (const way of ['whole', 'streamed'] as const) {
    test(`runs a loop of tools over ${way} responses, and gives all signatures back`, async () => {
      const { openai, asked } = createModel(responsesClient);
      const model = openai.responses('gpt-5');
      const options = { ...PROMPT, model, providerOptions: STATELESS };
      const text = way === 'whole' ? (await generateText(options)).text : await streamText(options).text;
      assert.equal(text, 'Done.');
      const parts = asked[1]?.turns[1]?.parts ?? [];
      const signatures = (all: readonly object[]) =>
        all.flatMap((part) => ('signature' in part ? [part.signature] : []));
      assert.deepEqual(signatures(parts), signatures(RICH_PARTS));
    });

    test(`runs a loop of tools over ${way} chat completions, and gives the calls' signatures back`, async () => {
      const { openai, asked } = createModel(openaiClient);
      const options = { ...PROMPT, model: openai.chat('gpt-5') };
      const text = way === 'whole' ? (await generateText(options)).text : await streamText(options).text;
      assert.equal(text, 'Done.');
      const calls = (asked[1]?.turns[1]?.parts ?? []).filter((part) => part.kind === 'tool_call');
      assert.deepEqual(
        calls.map(({ id, signature }) => [id, signature]),
        [
          ['call_1', undefined],
          ['call_2', { by: 'gemini', value: 'c' }],
        ],
      );
    });
  }
});
