/** Test support: Google's client, `@google/genai`. Its own chat keeps the conversation. */
import {
  ApiError,
  type Chat,
  type GenerateContentConfig,
  type GenerateContentResponse,
  GoogleGenAI,
  type Part,
  ThinkingLevel,
} from '@google/genai';
import type { Tokens } from '../../stand-ins/vendor.ts';
import {
  type Ask,
  BUDGET,
  type ClientKind,
  IMAGE,
  IMAGE_URL,
  SCHEMA,
  type Told,
  WEATHER,
  readGoogleError,
} from './client.ts';

export const googleGenAi: ClientKind = {
  name: '`@google/genai`',
  lacks: [],
  connect: (baseUrl, apiKey) => {
    const { chats, models } = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
    return {
      ask: (ask) => converse(chats.create({ model: ask.model, config: configOf(ask) }), ask, partsOf(ask)),
      embed: async (model, texts) => {
        const { embeddings = [] } = await models.embedContent({ model, contents: [...texts] });
        return embeddings.map(({ values }) => values ?? []);
      },
      countTokens: async (model, contents) =>
        (await models.countTokens({ model, contents })).totalTokens ?? Number.NaN,
    };
  },
  stopWords: { end: 'STOP', sequence: 'STOP', length: 'MAX_TOKENS', calls: 'STOP' },
  // What was written to a cache is prompt like any other to it.
  fold: ({ input, written, ...rest }) => ({ ...rest, input: input + written, written: 0 }),
  resultText: (result) => result,
  readRefusal: (error) =>
    error instanceof ApiError ? readGoogleError(error.status, JSON.parse(error.message)) : undefined,
};

async function converse(chat: Chat, ask: Ask, message: Part[]): Promise<Told> {
  const answers: GenerateContentResponse[] = [];
  if (ask.streamed === true) {
    for await (const answer of await chat.sendMessageStream({ message })) answers.push(answer);
  } else {
    answers.push(await chat.sendMessage({ message }));
  }
  const parts = answers.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? []);
  const calls = parts.flatMap(({ functionCall }) => functionCall ?? []);
  const textOf = (isThought: boolean) =>
    parts.map(({ text = '', thought = false }) => (thought === isThought ? text : '')).join('');
  return {
    text: textOf(false),
    reasoning: textOf(true),
    calls: calls.map(({ name = '', args }) => ({ name, args })),
    stop: answers.at(-1)?.candidates?.[0]?.finishReason,
    tokens: tokensOf(answers.at(-1)),
    answer: (...results) =>
      converse(
        chat,
        ask,
        results.map((output, index) => {
          const { id, name = '' } = calls[index] ?? {};
          return { functionResponse: { name, response: { output }, ...(id === undefined ? {} : { id }) } };
        }),
      ),
  };
}

function partsOf({ prompt, image }: Ask): Part[] {
  if (image === undefined) return [{ text: prompt }];
  const part: Part =
    image === 'inline'
      ? { inlineData: { mimeType: 'image/png', data: IMAGE } }
      : { fileData: { mimeType: 'image/png', fileUri: IMAGE_URL } };
  return [{ text: prompt }, part];
}

function configOf({ system, hasTool, hasSchema, reasoning, limit, stop }: Ask): GenerateContentConfig {
  const { name, description, schema: parametersJsonSchema } = WEATHER;
  const thinking =
    reasoning === 'effort' ? { thinkingLevel: ThinkingLevel.MEDIUM } : { thinkingBudget: BUDGET };
  return {
    ...(system === undefined ? {} : { systemInstruction: system }),
    ...(limit === undefined ? {} : { maxOutputTokens: limit }),
    ...(stop === undefined ? {} : { stopSequences: [stop] }),
    ...(hasTool === true
      ? { tools: [{ functionDeclarations: [{ name, description, parametersJsonSchema }] }] }
      : {}),
    ...(hasSchema === true ? { responseMimeType: 'application/json', responseJsonSchema: SCHEMA } : {}),
    ...(reasoning === undefined ? {} : { thinkingConfig: { ...thinking, includeThoughts: true } }),
  };
}

function tokensOf(answer: GenerateContentResponse | undefined): Tokens {
  const { usageMetadata } = answer ?? {};
  if (usageMetadata === undefined) throw new Error('no usage');
  const { promptTokenCount = 0, cachedContentTokenCount: cached = 0 } = usageMetadata;
  const { candidatesTokenCount: output = 0, thoughtsTokenCount: reasoning = 0 } = usageMetadata;
  return { input: promptTokenCount - cached, cached, written: 0, output, reasoning };
}
