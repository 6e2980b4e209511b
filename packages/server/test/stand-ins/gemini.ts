/** Test support: the Gemini API as the types of Google's own client `@google/genai` declare it, for models since Gemini 3. */
import { writeContent, writeContentStream } from './gemini-answer.ts';
import { readContents } from './gemini-contents.ts';
import { contentBody, countBody, embedBody, embedBatchBody } from './gemini-request.ts';
import { type Fields, fieldsIn, matching, refuse } from './strict.ts';
import { type Format, type Heard, type Request, settingsOf } from './vendor.ts';

/** google.rpc.Code. */
const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
};

export function geminiFormat(secret: string): Format {
  return {
    secret,
    secretOf: ({ headers }) => [headers['x-goog-api-key']].flat()[0],
    hear,
    writeWhole: ({ path, body }, saying) => {
      const usageMetadata = { promptTokenCount: saying.tokens.input };
      const embedding = { values: [0.25, -0.5] };
      switch (methodOf(path)) {
        case 'countTokens':
          return { totalTokens: saying.tokens.input };
        case 'embedContent':
          return { embedding, usageMetadata };
        case 'batchEmbedContents':
          return { embeddings: fieldsIn(body['requests']).map(() => embedding), usageMetadata };
        default:
          return writeContent(path, body, saying);
      }
    },
    writeStream: ({ path, body }, saying) => writeContentStream(path, body, saying),
    writeError: (code, { message }) => ({ error: { code, message, status: STATUSES[code] ?? 'UNKNOWN' } }),
  };
}

function hear({ path, body }: Request): Heard {
  matching(/^\/v1beta\/models\/[^/:]+:[a-zA-Z]+(?:\?alt=sse)?$/)(path, 'path');
  switch (methodOf(path)) {
    case 'generateContent':
    case 'streamGenerateContent':
      return hearContent(path, body);
    case 'countTokens':
      countBody(body, '');
      return heardOf(readContents({ contents: body['contents'] }).turns);
    case 'embedContent':
      embedBody(body, '');
      return heardOf(embeddedIn([body]));
    case 'batchEmbedContents':
      embedBatchBody(body, '');
      return heardOf(embeddedIn(fieldsIn(body['requests'])));
    default:
      return refuse('path', 'has no such method');
  }
}

function hearContent(path: string, body: Fields): Heard {
  contentBody(body, '');
  const config = (body['generationConfig'] ?? {}) as Fields;
  const thinking = (config['thinkingConfig'] ?? {}) as Fields;
  if (config['responseJsonSchema'] !== undefined && config['responseMimeType'] !== 'application/json') {
    refuse('generationConfig.responseMimeType', 'must be application/json with a schema');
  }
  if (thinking['thinkingLevel'] !== undefined && thinking['thinkingBudget'] !== undefined) {
    refuse('generationConfig.thinkingConfig', 'takes a level or a budget, and not both');
  }
  const declared = fieldsIn(body['tools']).flatMap((tool) => fieldsIn(tool['functionDeclarations']));
  return {
    ...readContents(body),
    tools: declared.map(({ name }) => String(name)),
    settings: settingsOf({
      limit: config['maxOutputTokens'],
      stop: config['stopSequences'],
      schema: config['responseJsonSchema'] ?? config['responseSchema'],
      effort: thinking['thinkingLevel'],
      budget: thinking['thinkingBudget'],
    }),
    streamed: path.endsWith(':streamGenerateContent?alt=sse'),
  };
}

function heardOf(turns: readonly string[]): Heard {
  return { system: '', turns, tools: [], settings: {}, streamed: false, signaturesBack: 0 };
}

function embeddedIn(requests: readonly Fields[]): readonly string[] {
  return requests.map(({ content }) => {
    const parts = fieldsIn((content as Fields)['parts']);
    return parts.map(({ text }) => String(text)).join(' ');
  });
}

function methodOf(path: string): string {
  return /:([a-zA-Z]+)(?:\?|$)/.exec(path)?.[1] ?? '';
}
