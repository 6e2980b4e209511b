/** Test support: an HTTP server on a loopback port that answers as it is told, and remembers what it was asked. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ScriptedAnswer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** Sent as JSON unless it is text. */
      readonly body?: unknown;
    }
  /** Breaks the connection without an answer. */
  | 'reset'
  /** Answers the half of it. */
  | 'half'
  /** Never answers. */
  | 'hang';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface StandInServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** Resolves once this many requests have arrived since the start. */
  received(count: number): Promise<void>;
}

/** Each answer is given once, in their order; the last one for good. */
export async function startStandIn(...script: readonly ScriptedAnswer[]): Promise<StandInServer> {
  const requests: ReceivedRequest[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const answer = script[Math.min(requests.length, script.length - 1)] ?? { status: 200 };
      const { method = '', url = '', headers } = incoming;
      requests.push({ method, path: url, headers, body: Buffer.concat(chunks).toString('utf8') });
      for (const look of waiting) look();
      respond(answer, incoming, outgoing);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    received: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (requests.length < count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function respond(answer: ScriptedAnswer, incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (answer === 'hang') return;
  if (answer === 'reset') {
    incoming.socket.resetAndDestroy();
    return;
  }
  if (answer === 'half') {
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    outgoing.write('{"half":', () => incoming.socket.destroy());
    return;
  }
  const { status, headers = {}, body } = answer;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  outgoing.writeHead(status, { 'content-type': 'application/json', ...headers });
  outgoing.end(text);
}
