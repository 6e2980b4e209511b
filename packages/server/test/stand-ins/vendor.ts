/**
 * Test support: what the stand-ins of all vendors have in common. Each is a server on a loopback port that takes requests
 * in its vendor's own form and no other, says what it is told to say, and remembers in plain words what it has heard.
 */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BadRequest, type Fields } from './strict.ts';

/** Tokens in disjoint classes. */
export interface Tokens {
  readonly input: number;
  readonly cached: number;
  /** To a cache, where the vendor counts it. */
  readonly written: number;
  readonly output: number;
  readonly reasoning: number;
}

/** What a model says, in no vendor's words. */
export interface Saying {
  /** Shown where the vendor shows it, and signed where the vendor signs. */
  readonly reasoning?: string;
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly args: Fields }[];
  /** It wrote this sequence of the client's, or came to its limit. */
  readonly stop?: { readonly sequence: string } | 'length';
  /** A stream breaks off with the vendor's error after the first piece. */
  readonly breaksOff?: boolean;
  readonly tokens: Tokens;
}

/** What a request asked, in no vendor's words: `user: Hello`, `assistant: call weather {"city":"Bern"}`. */
export interface Heard {
  readonly system: string;
  readonly turns: readonly string[];
  readonly tools: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly streamed: boolean;
  /** Signatures, or the like, of this vendor's that came back as it gave them. */
  readonly signaturesBack: number;
}

/** Writes one saying, as a stream where that was asked for. */
export interface Request {
  readonly path: string;
  readonly body: Fields;
}

export interface Format {
  readonly secret: string;
  /** Where the credential stands. */
  readonly secretOf: (incoming: IncomingMessage) => string | undefined;
  /** Throws `BadRequest`. */
  readonly hear: (request: Request) => Heard;
  readonly writeWhole: (request: Request, saying: Saying) => Fields;
  /** The text of the whole stream. */
  readonly writeStream: (request: Request, saying: Saying) => string;
  readonly writeError: (
    status: number,
    error: { readonly message: string; readonly param: string },
  ) => Fields;
}

export interface StandIn extends AsyncDisposable {
  /** Without a path. */
  readonly origin: string;
  readonly heard: readonly Heard[];
  /** What the next requests are answered with, one each. */
  say(...sayings: readonly Saying[]): void;
  /** Answers the next request with this status and message instead. */
  failNext(status: number, message: string): void;
  /** Forgets what was still to be said. */
  reset(): void;
}

type Step = Saying | { readonly status: number; readonly message: string };

export async function startStandIn(format: Format): Promise<StandIn> {
  const script: Step[] = [];
  const heard: Heard[] = [];
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Fields;
    const request = { path: incoming.url ?? '', body };
    const fail = (status: number, message: string, param = '') =>
      send(outgoing, { status, body: format.writeError(status, { message, param }) });
    if (format.secretOf(incoming) !== format.secret) return fail(401, 'wrong credential');
    try {
      const said = format.hear(request);
      heard.push(said);
      const step = script.shift() ?? { status: 500, message: 'the test did not say what to say' };
      if ('status' in step) return fail(step.status, step.message);
      if (!said.streamed) return send(outgoing, { status: 200, body: format.writeWhole(request, step) });
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      outgoing.end(format.writeStream(request, step));
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      fail(error.status, error.message, error.param);
    }
    return undefined;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    say: (...sayings) => void script.push(...sayings),
    failNext: (status, message) => void script.push({ status, message }),
    reset: () => void (script.length = 0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Cut in two, as a stream may be cut anywhere. */
export function halves(whole: string): readonly string[] {
  const middle = Math.ceil(whole.length / 2);
  return [whole.slice(0, middle), whole.slice(middle)].filter((piece) => piece !== '');
}

/** The settings that were set. */
export function settingsOf(settings: Readonly<Record<string, unknown>>): Heard['settings'] {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function send(outgoing: ServerResponse, { status, body }: { status: number; body: Fields }): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
