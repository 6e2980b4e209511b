/** A real HTTP server on loopback that stands in for the management API: answers what a test says, keeps what it was asked. */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface AskedRequest {
  readonly method: string;
  /** Path and query, as they were on the wire. */
  readonly url: string;
  readonly authorization: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: unknown;
}

export interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection breaks instead. */
  readonly breaks?: true;
}

export interface StandInApi {
  readonly url: string;
  readonly asked: AskedRequest[];
  /** What the next requests get, in order; the last one stays. `undefined` never answers. */
  reply(...replies: readonly (Reply | undefined)[]): void;
  close(): Promise<void>;
}

export async function startStandInApi(): Promise<StandInApi> {
  const asked: AskedRequest[] = [];
  let replies: readonly (Reply | undefined)[] = [{}];
  const server = createServer((request, response) => {
    void answer(request, response);
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const content = await text(request);
    asked.push({
      method: request.method ?? '',
      url: request.url ?? '',
      authorization: request.headers.authorization,
      idempotencyKey: request.headers['idempotency-key'] as string | undefined,
      body: content === '' ? undefined : (JSON.parse(content) as unknown),
    });
    const reply = replies[0];
    if (replies.length > 1) replies = replies.slice(1);
    if (reply === undefined) return;
    if (reply.breaks) {
      request.socket.destroy();
      return;
    }
    const status = reply.status ?? 200;
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    response.writeHead(status, { 'content-type': type, ...reply.headers });
    response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}));
  };
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    reply: (...given) => {
      replies = given;
      asked.length = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
