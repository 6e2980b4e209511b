/** Test support: the bytes that the mock provider answers with, in OpenAI's format. */
import type { ServerResponse } from 'node:http';
import type { ReceivedCall, TokenCount } from './mock-provider.ts';

export const TOKENS: TokenCount = { input: 10, output: 5 };
export const WORDS = ['Hello', ' from', ' the', ' provider', '.'];

/** How an answer that is complete reports its usage. */
export type CompleteKind = 'ok' | 'no-usage' | 'negative-usage';

/** The JSON of the usage; `undefined` where there is none. */
export function renderUsage(kind: CompleteKind, { input, output }: TokenCount): string | undefined {
  if (kind === 'no-usage') return undefined;
  const sign = kind === 'negative-usage' ? -1 : 1;
  return JSON.stringify({
    prompt_tokens: input * sign,
    completion_tokens: output * sign,
    total_tokens: (input + output) * sign,
  });
}

/** A whole answer; `usage` stands in it as it is, whether or not that is JSON. */
export function renderAnswer(body: ReceivedCall['body'], text: string, usage: string | undefined): string {
  const content =
    body['input'] === undefined
      ? {
          ...headOf(body, 'chat.completion'),
          choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
        }
      : { ...headOf(body, 'list'), data: [{ object: 'embedding', index: 0, embedding: [0, 0.6, 0.8] }] };
  return withUsage(JSON.stringify(content), usage);
}

/** The events of a complete stream but its last; the usage is told where it was asked for, `times` over. */
export function renderEvents(
  body: ReceivedCall['body'],
  usage: string | undefined,
  times: number,
): readonly string[] {
  const words = WORDS.map((word) => JSON.stringify(chunkOf(body, { word })));
  const last = JSON.stringify(chunkOf(body, { isLast: true }));
  const report = withUsage(JSON.stringify({ ...chunkOf(body, {}), choices: [] }), usage);
  const reports = usage !== undefined && wantsUsage(body) ? Array.from({ length: times }, () => report) : [];
  return [...words, last, ...reports];
}

export function chunkOf(
  body: ReceivedCall['body'],
  of: { readonly word?: string; readonly isLast?: boolean },
) {
  return {
    ...headOf(body, 'chat.completion.chunk'),
    choices: [
      {
        index: 0,
        delta: of.word === undefined ? {} : { content: of.word },
        finish_reason: of.isLast === true ? 'stop' : null,
      },
    ],
  };
}

export function startEvents(outgoing: ServerResponse): void {
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
}

/** `event` is JSON, or becomes it. */
export function writeEvent(outgoing: ServerResponse, event: object | string): void {
  outgoing.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
}

export function sendText(
  outgoing: ServerResponse,
  of: { readonly status: number; readonly type: string; readonly text: string },
): void {
  outgoing.writeHead(of.status, {
    'content-type': of.type,
    'content-length': String(Buffer.byteLength(of.text)),
  });
  outgoing.end(of.text);
}

function withUsage(json: string, usage: string | undefined): string {
  return usage === undefined ? json : `${json.slice(0, -1)},"usage":${usage}}`;
}

function wantsUsage(body: ReceivedCall['body']): boolean {
  const options = body['stream_options'];
  return (
    typeof options === 'object' &&
    options !== null &&
    'include_usage' in options &&
    options.include_usage === true
  );
}

function headOf(body: ReceivedCall['body'], object: string) {
  return { id: 'chatcmpl-mock', object, created: 1_700_000_000, model: body['model'] };
}
