/** Responsible for the sandbox's images, speech and moderations: the least that a client takes for an answer. */
import type { LocalAnswer, ModelCall } from '../provider.ts';
import { countTokens } from './tokens.ts';

/** The same for every answer, so that equal calls have equal answers. */
const CREATED_SECONDS = 1_700_000_000;
const TOKENS_PER_IMAGE = 100;
const IMAGES_MAX = 10;
/** One grey point. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==';
const SAMPLES_PER_SECOND = 8_000;
const SAMPLES_PER_TOKEN = 400;
const WAV_HEADER_BYTES = 44;
const BYTES_PER_TOKEN_HEARD = 1_000;

export function answerImages(call: ModelCall): LocalAnswer {
  const images = Math.min(readCount(call, 'n') ?? 1, IMAGES_MAX);
  const input = countTokens(readText(call, 'prompt'));
  const output = images * TOKENS_PER_IMAGE;
  const details = { input_tokens_details: { text_tokens: input, image_tokens: 0 } };
  const usage = { input_tokens: input, output_tokens: output, total_tokens: input + output, ...details };
  if (call.streamed) {
    const event = { type: 'image_generation.completed', b64_json: PNG, created_at: CREATED_SECONDS };
    const form = { background: 'opaque', output_format: 'png', quality: 'low', size: '1024x1024' };
    return stream([{ ...event, ...form, usage }]);
  }
  const data = Array.from({ length: images }, () => ({ b64_json: PNG }));
  return whole('application/json', JSON.stringify({ created: CREATED_SECONDS, data, usage }));
}

/** Silence, as long as the text. */
export function answerSpeech(call: ModelCall): LocalAnswer {
  const input = countTokens(readText(call, 'input'));
  const sound = silence(input * SAMPLES_PER_TOKEN);
  if (!call.streamed) return whole('audio/wav', sound);
  const usage = { input_tokens: input, output_tokens: input, total_tokens: 2 * input };
  return stream([
    { type: 'speech.audio.delta', audio: sound.toString('base64') },
    { type: 'speech.audio.done', usage },
  ]);
}

/** What a sandbox hears: how long the recording is in bytes. */
export function answerTranscription(call: ModelCall): LocalAnswer {
  const { form } = call;
  const [file] = form?.all('file') ?? [];
  const bytes = file === undefined ? 0 : file.contentEnd - file.contentStart;
  const text = `The sandbox heard ${bytes} bytes.`;
  const input = Math.ceil(bytes / BYTES_PER_TOKEN_HEARD);
  const output = countTokens(text);
  const usage = {
    type: 'tokens',
    input_tokens: input,
    input_token_details: { text_tokens: 0, audio_tokens: input },
    output_tokens: output,
    total_tokens: input + output,
  };
  if (call.streamed) {
    return stream([
      { type: 'transcript.text.delta', delta: text },
      { type: 'transcript.text.done', text, usage },
    ]);
  }
  const [format] = form?.all('response_format') ?? [];
  const isText = format !== undefined && form?.readText(format) === 'text';
  return isText
    ? whole('text/plain; charset=utf-8', text)
    : whole('application/json', JSON.stringify({ text, usage }));
}

/** Nothing is ever flagged. */
export function answerModerations(call: ModelCall): LocalAnswer {
  const span = call.scan.field('input');
  const input: unknown = span === undefined ? '' : call.scan.readJson(span);
  const texts: readonly unknown[] = Array.isArray(input) ? input : [input];
  const tokens = countTokens(JSON.stringify(input));
  const none = { categories: {}, category_scores: {}, category_applied_input_types: {} };
  const body = {
    id: 'modr-sandbox',
    model: call.upstreamModel,
    results: texts.map(() => ({ flagged: false, ...none })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
  return whole('application/json', JSON.stringify(body));
}

/** PCM of 16 bits in a WAVE file. */
function silence(samples: number): Buffer {
  const bytes = samples * 2;
  const file = Buffer.alloc(WAV_HEADER_BYTES + bytes);
  file.write('RIFF', 0);
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(SAMPLES_PER_SECOND, 24);
  file.writeUInt32LE(SAMPLES_PER_SECOND * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36);
  file.writeUInt32LE(bytes, 40);
  return file;
}

function readText({ scan }: ModelCall, name: string): string {
  const span = scan.field(name);
  return span?.kind === 'string' ? scan.readString(span) : '';
}

function readCount({ scan }: ModelCall, name: string): number | undefined {
  const span = scan.field(name);
  return span?.kind === 'number' ? scan.readNumber(span) : undefined;
}

function whole(contentType: string, body: string | Buffer): LocalAnswer {
  return { status: 200, headers: { 'content-type': contentType }, chunks: [Buffer.from(body)] };
}

type Event = { readonly type: string } & Readonly<Record<string, unknown>>;

function stream(events: readonly Event[]): LocalAnswer {
  const chunks = events.map((event) =>
    Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
  );
  return { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' }, chunks };
}
