/**
 * Test support: OpenAI's paths beside chat completions, as its own client's types describe them (`openai` 7.57.0). Takes
 * requests with exactly their fields, reads forms with the parser of the platform, and answers what it is told to.
 */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  BadRequest,
  type Check,
  type Fields,
  any,
  flag,
  integerFrom,
  listOf,
  oneOf,
  record,
  refuse,
  text,
} from './strict.ts';

export interface Reply {
  readonly status?: number;
  readonly contentType?: string;
  /** JSON where it is an object. */
  readonly body: string | Buffer | object;
}

export interface HeardRequest {
  readonly path: string;
  /** A form's fields by name, each a list; files as their bytes. */
  readonly body: Fields;
  /** As it came. */
  readonly raw: Buffer;
  readonly contentType: string;
}

export interface OpenAiEndpoints extends AsyncDisposable {
  /** A base URL for credentials. */
  readonly url: string;
  readonly heard: readonly HeardRequest[];
  /** What the next requests are answered with, one each. */
  say(...replies: readonly Reply[]): void;
}

const SECRET = 'sk-stand-in-0123456789abcdef';

const input = (value: unknown, at: string) =>
  typeof value === 'string' ? value : listOf(any, { min: 1 })(value, at);

const ONE = { min: 1, max: 1 };
const bytes: Check<Buffer> = (value, at) => (Buffer.isBuffer(value) ? value : refuse(at, 'must be a file'));

const CHECKS: Readonly<Record<string, Check<Fields>>> = {
  '/v1/responses': record(
    { model: text, input },
    {
      instructions: text,
      max_output_tokens: integerFrom(16),
      stream: flag,
      store: flag,
      include: listOf(text),
      tools: listOf(record({ type: oneOf('function'), name: text, parameters: any, strict: flag })),
      x_new_field: any,
    },
  ),
  '/v1/images/generations': record(
    { model: text, prompt: text },
    {
      n: integerFrom(1, 10),
      size: text,
      quality: text,
      stream: flag,
      partial_images: integerFrom(0, 3),
      x_new_field: any,
    },
  ),
  '/v1/audio/speech': record(
    { model: text, input: text, voice: text },
    { instructions: text, response_format: text, stream_format: oneOf('sse', 'audio'), x_new_field: any },
  ),
  '/v1/audio/transcriptions': record(
    { model: listOf(text, ONE), file: listOf(bytes, ONE) },
    {
      language: listOf(text, ONE),
      prompt: listOf(text, ONE),
      response_format: listOf(oneOf('json', 'text', 'srt', 'vtt', 'verbose_json'), ONE),
      stream: listOf(oneOf('true', 'false'), ONE),
      chunking_strategy: listOf(text, ONE),
      'chunking_strategy[type]': listOf(text, ONE),
      'chunking_strategy[threshold]': listOf(text, ONE),
      'timestamp_granularities[]': listOf(text),
      x_new_field: listOf(text),
    },
  ),
  '/v1/audio/translations': record(
    { model: listOf(text, ONE), file: listOf(bytes, ONE) },
    { response_format: listOf(text, ONE) },
  ),
  '/v1/moderations': record({ input }, { model: text, x_new_field: any }),
};

export async function startOpenAiEndpoints(): Promise<OpenAiEndpoints> {
  const replies: Reply[] = [];
  const heard: HeardRequest[] = [];
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const path = incoming.url ?? '';
    const contentType = incoming.headers['content-type'] ?? '';
    const send = ({ status = 200, contentType: type = 'application/json', body }: Reply) => {
      const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      outgoing.writeHead(status, { 'content-type': type }).end(bytes);
    };
    const fail = (status: number, message: string, param: string | null) =>
      send({ status, body: { error: { message, type: 'invalid_request_error', param, code: null } } });
    if (incoming.headers.authorization !== `Bearer ${SECRET}`) return fail(401, 'wrong credential', null);
    const check = CHECKS[path];
    if (incoming.method !== 'POST' || check === undefined) return fail(404, `no ${path}`, null);
    try {
      const isForm = contentType.startsWith('multipart/form-data');
      const body: unknown = isForm ? await readForm(raw, contentType) : JSON.parse(raw.toString('utf8'));
      heard.push({ path, body: check(body, ''), raw, contentType });
    } catch (error) {
      return error instanceof BadRequest
        ? fail(400, error.message, error.param)
        : fail(400, `cannot be read: ${String(error)}`, null);
    }
    const reply = replies.shift();
    return reply === undefined ? fail(500, 'the test did not say what to say', null) : send(reply);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    heard,
    say: (...more) => void replies.push(...more),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readForm(raw: Buffer, contentType: string): Promise<Fields> {
  const form = await new Response(new Uint8Array(raw), {
    headers: { 'content-type': contentType },
  }).formData();
  const fields: Record<string, unknown[]> = {};
  for (const [name, value] of form) {
    const read = typeof value === 'string' ? value : Buffer.from(await value.arrayBuffer());
    (fields[name] ??= []).push(read);
  }
  return fields;
}
