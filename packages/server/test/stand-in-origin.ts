/** Test support: real servers on loopback, an origin that may reach them, and a receiver that records what it hears. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { Denial } from '../src/kernel/denial.ts';
import {
  type AllowedNetworks,
  type AllowedOrigin,
  checkBaseUrl,
  parseNetworks,
} from '../src/upstream/egress-policy.ts';
import type { UpstreamReceiver } from '../src/upstream/send.ts';
import type { UpstreamFault } from '../src/upstream/upstream-fault.ts';

export const LOOPBACK = networks('127.0.0.0/8');

export function networks(...cidrs: string[]): AllowedNetworks {
  const parsed = parseNetworks(cidrs);
  if (parsed instanceof Denial) throw new Error(parsed.detail.message);
  return parsed;
}

export function allowedOrigin(url: string, allowed = LOOPBACK): AllowedOrigin {
  const origin = checkBaseUrl(url, allowed);
  if (origin instanceof Denial) throw new Error(origin.detail.message);
  return origin;
}

export async function startHttp(listener: RequestListener): Promise<TestServer> {
  return listen(createServer(listener));
}

export async function startTcp(onSocket: (socket: Socket) => void): Promise<TestServer> {
  return listen(
    createTcpServer((socket) => {
      socket.on('error', () => {});
      onSocket(socket);
    }),
  );
}

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

async function listen(server: Server | TcpServer): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Keeps everything; `over` resolves with the last thing heard. */
export class RecordingReceiver implements UpstreamReceiver {
  status: number | undefined = undefined;
  headers: IncomingHttpHeaders | undefined = undefined;
  readonly chunks: Buffer[] = [];
  readonly heard: string[] = [];
  readonly #over = Promise.withResolvers<UpstreamFault | 'end'>();
  readonly #head = Promise.withResolvers<number>();
  readonly #takes: (chunk: Buffer) => boolean;

  constructor(takes: (chunk: Buffer) => boolean = () => true) {
    this.#takes = takes;
  }

  get over(): Promise<UpstreamFault | 'end'> {
    return this.#over.promise;
  }

  get head(): Promise<number> {
    return this.#head.promise;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.heard.push('head');
    this.status = status;
    this.headers = headers;
    this.#head.resolve(status);
  }

  onBytes(chunk: Buffer): boolean {
    this.chunks.push(chunk);
    return this.#takes(chunk);
  }

  onEnd(): void {
    this.heard.push('end');
    this.#over.resolve('end');
  }

  onFault(fault: UpstreamFault): void {
    this.heard.push('fault');
    this.#over.resolve(fault);
  }
}
