/** Clients that run tools by themselves: each loop goes from call to result to answer with every vendor's model. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { type LanguageModel, generateText, jsonSchema, streamText, tool } from 'ai';
import OpenAI from 'openai';
import type { RunnableToolFunctionWithParse } from 'openai/lib/RunnableFunction';
import { DATABASE_KINDS } from '../../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../../keyfold.ts';
import { issueKey } from '../support.ts';
import { WEATHER } from './client.ts';
import { type RunningVendor, VENDORS, startVendor } from './vendors.ts';

interface Server {
  readonly url: string;
  readonly apiKey: string;
}

/** Runs the loop, and returns what the model said in the end. */
type Loop = (server: Server, model: string, run: (args: unknown) => string) => PromiseLike<string>;

type ProviderOptions = NonNullable<Parameters<typeof generateText>[0]['providerOptions']>;

const PROMPT = 'How is the weather?';

const LOOPS: Readonly<Record<string, Loop>> = {
  '`runTools` of `openai`': (server, model, run) => runTools(server, { model, run, stream: false }),
  '`runTools` of `openai`, streamed': (server, model, run) => runTools(server, { model, run, stream: true }),
  '`generateText` with chat completions': ({ url, apiKey }, model, run) =>
    generate(createOpenAI({ apiKey, baseURL: `${url}/v1` }).chat(model), run),
  '`streamText` with responses': ({ url, apiKey }, model, run) =>
    stream(createOpenAI({ apiKey, baseURL: `${url}/v1` }).responses(model), run, {
      openai: { store: false },
    }),
  '`generateText` with Messages': ({ url, apiKey }, model, run) =>
    generate(createAnthropic({ apiKey, baseURL: `${url}/v1` })(model), run),
  '`streamText` with Messages': ({ url, apiKey }, model, run) =>
    stream(createAnthropic({ apiKey, baseURL: `${url}/v1` })(model), run),
  '`generateText` with Gemini': ({ url, apiKey }, model, run) =>
    generate(createGoogle({ apiKey, baseURL: `${url}/v1beta` })(model), run),
  '`streamText` with Gemini': ({ url, apiKey }, model, run) =>
    stream(createGoogle({ apiKey, baseURL: `${url}/v1beta` })(model), run),
};

describe('a client that runs tools by itself', () => {
  const vendors: RunningVendor[] = [];
  let keyfold: TestKeyfold;
  let apiKey: string;

  before(async () => {
    const [sqlite] = DATABASE_KINDS;
    assert.ok(sqlite);
    keyfold = await startTestKeyfold(sqlite);
    for (const vendor of VENDORS) vendors.push(await startVendor(keyfold, vendor));
    apiKey = (await issueKey({ keyfold, provider: { url: '' } })).secret;
  });
  after(async () => {
    await keyfold.stop();
    for (const { standIn } of vendors) await standIn[Symbol.asyncDispose]();
  });

  for (const [name, loop] of Object.entries(LOOPS)) {
    for (const [index, vendor] of VENDORS.entries()) {
      test(`${name} comes to its end with ${vendor.name}`, async () => {
        const { standIn, tokens, model } = vendors[index] ?? assert.fail();
        const call = (city: string) => ({ name: WEATHER.name, args: { city } });
        standIn.say(
          { text: 'Two.', calls: [call('Bern'), call('Rome')], tokens },
          { calls: [call('Oslo')], tokens },
          { text: 'Fair in Bern, Rome and Oslo.', tokens },
        );
        const asked: unknown[] = [];
        const said = await loop({ url: keyfold.url, apiKey }, model, (args) => {
          asked.push(args);
          return 'fair';
        });
        assert.equal(said, 'Fair in Bern, Rome and Oslo.');
        assert.deepEqual(asked, [{ city: 'Bern' }, { city: 'Rome' }, { city: 'Oslo' }]);
        const turns = standIn.heard.at(-1)?.turns.map((turn) => turn.replace(/^(result \w+): .*/, '$1'));
        assert.deepEqual(turns, [
          `user: ${PROMPT}`,
          'assistant: Two.',
          'assistant: call weather {"city":"Bern"}',
          'assistant: call weather {"city":"Rome"}',
          'result weather',
          'result weather',
          'assistant: call weather {"city":"Oslo"}',
          'result weather',
        ]);
      });
    }
  }
});

async function runTools(
  { url, apiKey }: Server,
  of: { readonly model: string; readonly run: (args: unknown) => string; readonly stream: boolean },
): Promise<string> {
  const client = new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
  const { name, description, schema } = WEATHER;
  const weather: RunnableToolFunctionWithParse<object> = {
    type: 'function',
    function: {
      name,
      description,
      parameters: { ...schema, required: [...schema.required] },
      parse: (json) => JSON.parse(json) as object,
      function: of.run,
    },
  };
  const options = {
    model: of.model,
    messages: [{ role: 'user' as const, content: PROMPT }],
    tools: [weather],
  };
  const runner = of.stream
    ? client.chat.completions.runTools({ ...options, stream: true })
    : client.chat.completions.runTools({ ...options, stream: false });
  return (await runner.finalContent()) ?? '';
}

function optionsOf(model: LanguageModel, run: (args: unknown) => string, providerOptions: ProviderOptions) {
  const { name, description, schema } = WEATHER;
  const weather = tool({
    description,
    inputSchema: jsonSchema<object>(schema as object),
    execute: (args) => Promise.resolve(run(args)),
  });
  return {
    model,
    prompt: PROMPT,
    maxRetries: 0,
    tools: { [name]: weather },
    stopWhen: ({ steps }: { readonly steps: readonly unknown[] }) => steps.length === 5,
    providerOptions,
  };
}

async function generate(model: LanguageModel, run: (args: unknown) => string): Promise<string> {
  return (await generateText(optionsOf(model, run, {}))).text;
}

async function stream(
  model: LanguageModel,
  run: (args: unknown) => string,
  providerOptions: ProviderOptions = {},
): Promise<string> {
  return streamText(optionsOf(model, run, providerOptions)).text;
}
