/** Test support: Anthropic's Messages API on a loopback port, which answers as it is told and remembers what it was asked. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AskedMessage {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  /** As it arrived. */
  readonly bytes: Buffer;
}

export interface AnthropicStandIn extends AsyncDisposable {
  /** A base URL for a credential. */
  readonly url: string;
  readonly asked: readonly AskedMessage[];
  /** What each message costs, as Anthropic reports it. */
  usage: Readonly<Record<string, unknown>>;
  /** Answers the next request with this status and error instead. */
  failNext(status: number, type: string, message: string): void;
}

const TEXT = ['Hello', ' from', ' Claude'];

export async function startAnthropicStandIn(): Promise<AnthropicStandIn> {
  const asked: AskedMessage[] = [];
  const failures: { status: number; type: string; message: string }[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const body = JSON.parse(bytes.toString('utf8')) as AskedMessage['body'];
      asked.push({ path: incoming.url ?? '', headers: incoming.headers, body, bytes });
      const failure = failures.shift();
      if (failure !== undefined) {
        const { status, ...error } = failure;
        sendJson(outgoing, status, { type: 'error', error });
      } else if (incoming.url?.endsWith('/count_tokens') === true)
        sendJson(outgoing, 200, { input_tokens: 42 });
      else if (body['stream'] === true) stream(outgoing, body, standIn.usage);
      else sendJson(outgoing, 200, { ...messageOf(body), content: contentOf(body), usage: standIn.usage });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const standIn: AnthropicStandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    usage: { input_tokens: 10, output_tokens: 5 },
    failNext: (status, type, message) => void failures.push({ status, type, message }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return standIn;
}

function messageOf(body: AskedMessage['body']) {
  const stopReason = body['tools'] === undefined ? 'end_turn' : 'tool_use';
  return {
    id: 'msg_stand_in',
    type: 'message',
    role: 'assistant',
    model: body['model'],
    stop_reason: stopReason,
    stop_sequence: null,
  };
}

function contentOf(body: AskedMessage['body']): readonly object[] {
  const thinking =
    body['thinking'] === undefined ? [] : [{ type: 'thinking', thinking: 'Let me see.', signature: 'c2ln' }];
  const tool =
    body['tools'] === undefined
      ? []
      : [{ type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Bern' } }];
  return [...thinking, { type: 'text', text: TEXT.join('') }, ...tool];
}

function stream(
  outgoing: ServerResponse,
  body: AskedMessage['body'],
  usage: AnthropicStandIn['usage'],
): void {
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (type: string, fields: object) =>
    outgoing.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  const { output_tokens: output, ...input } = usage;
  const message = { ...messageOf(body), content: [], stop_reason: null };
  send('message_start', { message: { ...message, usage: { ...input, output_tokens: 1 } } });
  send('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
  send('ping', {});
  for (const text of TEXT) send('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
  send('content_block_stop', { index: 0 });
  send('message_delta', {
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: output },
  });
  send('message_stop', {});
  outgoing.end();
}

function sendJson(outgoing: ServerResponse, status: number, body: object): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
