/**
 * Test support: OpenAI's chat completions, responses and embeddings, as the types of its own client `openai` declare them. The servers
 * that resemble it are flavours of it: see `openai-flavours.ts`.
 */
import { chatBody } from './openai-request.ts';
import { readMessages } from './openai-messages.ts';
import { writeResponse, writeResponseStream } from './openai-responses-answer.ts';
import { hearResponse } from './openai-responses.ts';
import { writeChat, writeChatStream } from './openai-answer.ts';
import {
  BadRequest,
  type Check,
  type Fields,
  either,
  filled,
  listOf,
  matching,
  oneOf,
  record,
  text,
} from './strict.ts';
import { type Format, type Heard, type Request, type Tokens, settingsOf } from './vendor.ts';

export interface Flavour {
  /** What a request may have besides its model and messages. */
  readonly fields: Readonly<Record<string, Check<unknown>>>;
  /** Of a user's message, by type. */
  readonly parts: Readonly<Record<string, Check<unknown>>>;
  readonly instructionRoles: readonly ('system' | 'developer')[];
  /** Where reasoning is shown, and taken back. */
  readonly reasoningField: 'reasoning_content' | 'reasoning' | undefined;
  /** Which field bounds the output. */
  readonly limitField: 'max_tokens' | 'max_completion_tokens';
  /** A call that was made while thinking comes back with its reasoning. */
  readonly wantsReasoningBack: boolean;
  /** Usage comes with the last choice of a stream instead of after it. */
  readonly usageOnLastChoice: boolean;
  readonly hasEmbeddings: boolean;
  readonly hasResponses: boolean;
  /** The sequence that ended an answer is told. */
  readonly tellsSequence: boolean;
  readonly writeUsage: (tokens: Tokens) => Fields;
}

export function openAiFormat(secret: string, flavour: Flavour): Format {
  return {
    secret,
    secretOf: ({ headers }) => headers.authorization?.replace(/^Bearer /, ''),
    hear: (request) => {
      if (isResponse(request, flavour)) return hearResponse(request.body);
      return request.path === '/v1/embeddings'
        ? hearEmbedding(request.body, flavour)
        : hearChat(request, flavour);
    },
    writeWhole: (request, saying) => {
      if (isResponse(request, flavour)) return writeResponse(request.body, saying);
      return request.path === '/v1/embeddings'
        ? writeEmbedding(request.body, saying.tokens)
        : writeChat(request.body, saying, flavour);
    },
    writeStream: (request, saying) =>
      isResponse(request, flavour)
        ? writeResponseStream(request.body, saying)
        : writeChatStream(request.body, saying, flavour),
    writeError: (status, { message, param }) => {
      const type = status < 500 ? 'invalid_request_error' : 'server_error';
      return { error: { message, type, param: param === '' ? null : param, code: null } };
    },
  };
}

function isResponse({ path }: Request, { hasResponses }: Flavour): boolean {
  return hasResponses && path === '/v1/responses';
}

function hearChat({ path, body }: Request, flavour: Flavour): Heard {
  oneOf('/v1/chat/completions')(path, 'path');
  chatBody(flavour)(body, '');
  const conversation = readMessages(body, flavour);
  const tools = (body['tools'] ?? []) as readonly { function: { name: string } }[];
  const format = body['response_format'] as { json_schema?: { schema: unknown } } | undefined;
  return {
    ...conversation,
    tools: tools.map((tool) => tool.function.name),
    settings: settingsOf({
      limit: body[flavour.limitField],
      stop: body['stop'],
      schema: format?.json_schema?.schema,
      effort: body['reasoning_effort'],
    }),
    streamed: body['stream'] === true,
  };
}

function hearEmbedding(body: Fields, { hasEmbeddings }: Flavour): Heard {
  if (!hasEmbeddings) throw new BadRequest('', 'Not Found', 404);
  record(
    { model: filled, input: either(filled, listOf(filled, { min: 1, max: 2_048 })) },
    { encoding_format: oneOf('float', 'base64'), dimensions: matching(/^never$/), user: text },
  )(body, '');
  const inputs = [body['input']].flat().map(String);
  return { system: '', turns: inputs, tools: [], settings: {}, streamed: false, signaturesBack: 0 };
}

/** In base64 where it is asked for: OpenAI's client does so by itself. */
function writeEmbedding(body: Fields, tokens: Tokens): Fields {
  const vector = [0.25, -0.5];
  const written =
    body['encoding_format'] === 'base64'
      ? Buffer.from(Float32Array.from(vector).buffer).toString('base64')
      : vector;
  const inputs = [body['input']].flat();
  return {
    object: 'list',
    data: inputs.map((_input, index) => ({ object: 'embedding', index, embedding: written })),
    model: body['model'],
    usage: { prompt_tokens: tokens.input, total_tokens: tokens.input },
  };
}
