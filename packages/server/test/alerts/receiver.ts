/** Test support: a receiver of webhooks on a loopback port, which answers as it is told and checks what it gets. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly id: string;
  readonly timestampS: number;
  readonly signature: string;
  readonly text: string;
  readonly body: { readonly type: string; readonly data: Readonly<Record<string, unknown>> };
}

/** A status, with where it sends to; or nothing at all until it is stopped. */
export type Behaviour = number | { readonly redirectTo: string } | 'silence';

export interface Receiver {
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  readonly url: string;
  readonly received: readonly Received[];
  /** For the next messages, one each; then 200. */
  script(...behaviours: readonly Behaviour[]): void;
  /** Resolves once so many messages have come since the start. */
  arrived(count: number): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const scripted: Behaviour[] = [];
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const header = (name: string) => String(incoming.headers[name]);
    received.push({
      id: header('webhook-id'),
      timestampS: Number(header('webhook-timestamp')),
      signature: header('webhook-signature'),
      text,
      body: JSON.parse(text) as Received['body'],
    });
    const behaviour = scripted.shift() ?? 200;
    if (typeof behaviour === 'number') outgoing.writeHead(behaviour).end();
    else if (behaviour !== 'silence') outgoing.writeHead(302, { location: behaviour.redirectTo }).end();
    for (const waiter of waiting) {
      if (received.length < waiter.count) continue;
      waiting.delete(waiter);
      waiter.resolve();
    }
  };
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let stopping: Promise<unknown> | undefined;
  const stop = async () => {
    stopping ??= once(server.close(), 'close');
    server.closeAllConnections();
    await stopping;
  };
  return {
    stop,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    received,
    script: (...behaviours) => void scripted.push(...behaviours),
    arrived: (count) =>
      received.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => void waiting.add({ count, resolve })),
    [Symbol.asyncDispose]: stop,
  };
}

/** As a receiver verifies it: of the signatures that are sent one must be this secret's. */
export function isSignedWith(secret: string, { id, timestampS, signature, text }: Received): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestampS}.${text}`).digest('base64');
  return signature.split(' ').includes(`v1,${expected}`);
}
