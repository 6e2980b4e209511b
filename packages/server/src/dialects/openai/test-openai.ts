/** For tests: requests as a client sends them, and the vendor's official client reading our bytes without a socket. */
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { Denial } from '../../kernel/denial.ts';
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import type { ChatEvent, ChatRequest } from '../chat.ts';
import type { AnswerContext, SentChat, StreamDecoder, StreamEncoder } from '../dialect.ts';

export const CONTEXT: AnswerContext = {
  requestId: 'req_1',
  model: 'asked-model',
  createdAtS: 1_760_000_000,
  wantsUsage: true,
};

export function sent(body: string | object, streamed = false): SentChat {
  const scan = scanJsonObject(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
  assert.ok(!(scan instanceof JsonRefusal), 'a body that the gateway would let through');
  return { endpoint: 'chat.completions', scan, streamed };
}

export function accepted<Value>(value: Value | Denial): Value {
  assert.ok(!(value instanceof Denial), JSON.stringify(value));
  return value;
}

/** Which code, at which field. */
export function refused(value: unknown): string {
  assert.ok(value instanceof Denial, 'a refusal');
  const { param, message = '' } = value.detail;
  assert.ok(message.startsWith(`'${param}' `), message);
  return `${value.code} ${param}`;
}

/** The official client, whose next answer is this. */
export function clientOf(answer: Buffer | string): OpenAI {
  const type = typeof answer === 'string' ? 'text/event-stream' : 'application/json';
  const body = new Uint8Array(Buffer.from(answer));
  return new OpenAI({
    apiKey: 'none',
    maxRetries: 0,
    fetch: async () => Promise.resolve(new Response(body, { headers: { 'content-type': type } })),
  });
}

export function encode(encoder: StreamEncoder, events: readonly ChatEvent[]): string {
  return events.map((event) => encoder.push(event)).join('');
}

export function decode(decoder: StreamDecoder, stream: string): ChatEvent[] {
  const events: ChatEvent[] = [];
  for (const block of stream.split(/\r?\n\r?\n/)) {
    const lines = block.split(/\r?\n/);
    const values = (field: string) =>
      lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trim());
    if (values('data').length === 0) continue;
    events.push(...decoder.push({ name: values('event')[0] ?? '', data: values('data').join('\n') }));
  }
  events.push(...decoder.finish());
  return events;
}

/** Pieces of one part that follow each other, joined: how text is cut means nothing. */
export function uncut(events: readonly ChatEvent[]): ChatEvent[] {
  const joined: ChatEvent[] = [];
  for (const event of events) {
    const before = joined.at(-1);
    if (
      (event.kind === 'text' || event.kind === 'reasoning' || event.kind === 'refusal') &&
      before?.kind === event.kind &&
      before.choice === event.choice
    ) {
      joined[joined.length - 1] = { ...event, text: before.text + event.text };
    } else if (
      event.kind === 'tool_arguments' &&
      before?.kind === 'tool_arguments' &&
      before.choice === event.choice
    ) {
      joined[joined.length - 1] = { ...event, json: before.json + event.json };
    } else if (event.kind !== 'tool_arguments' || event.json !== '') {
      joined.push(event);
    }
  }
  return joined;
}

/** Without where each part stood, and without the names of the settings. */
export function unplaced(chat: ChatRequest): unknown {
  return JSON.parse(
    JSON.stringify(chat, (key, value: unknown) => (key === 'at' || key === 'names' ? undefined : value)),
  );
}
