/**
 * Test support: an OpenAI-compatible provider on a loopback port (chat, streamed or not, and embeddings) that behaves as
 * it is told, and keeps its own bill.
 */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  TOKENS,
  WORDS,
  chunkOf,
  renderAnswer,
  renderEvents,
  renderUsage,
  sendText,
  startEvents,
  writeEvent,
} from './mock-answers.ts';

/**
 * How one call is answered. A call that asks for a stream gets one where that makes sense. `tokens` are what the provider
 * bills; without them it bills what it answers in full.
 */
export type Behaviour = {
  readonly tokens?: TokenCount | undefined;
} & (
  | { readonly kind: 'ok'; readonly text?: string }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** 200, said to be JSON, and none. */
  | { readonly kind: 'garbage' }
  | { readonly kind: 'html' }
  | { readonly kind: 'no-usage' }
  | { readonly kind: 'negative-usage' }
  /** Answers in full, with this value as its usage. */
  | { readonly kind: 'usage'; readonly usage: unknown }
  /** Answers in full, with this text where the value of its usage should be; in a stream so many times over. */
  | { readonly kind: 'usage-text'; readonly usage: string; readonly times?: number }
  /** These pieces of an event stream, byte for byte; then its end, a break, or silence. */
  | {
      readonly kind: 'raw-stream';
      readonly pieces: readonly string[];
      readonly ending?: 'end' | 'reset' | 'silence';
    }
  /** Some events, then silence until the client has gone. */
  | { readonly kind: 'stalled-stream' }
  /** Some events, then the connection breaks. */
  | { readonly kind: 'half-stream' }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Takes the request and breaks the connection. */
  | { readonly kind: 'reset' }
);

export interface TokenCount {
  readonly input: number;
  readonly output: number;
}

export interface ReceivedCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface MockProvider extends AsyncDisposable {
  /** A base URL for a credential. */
  readonly url: string;
  readonly calls: readonly ReceivedCall[];
  /** Tokens of every call that was answered in full, or that is billed anyway: what the provider would charge for. */
  readonly bill: TokenCount & { readonly calls: number };
  /** What is billed for the call with this `user`, which a caller gives to one call alone. */
  billOf(user: string): TokenCount | undefined;
  /** Calls whose client went away before the answer was complete. */
  readonly abandoned: number;
  /** From now on: always so, or as each call asks for. */
  behave(behaviour: Behaviour | ((call: ReceivedCall) => Behaviour)): void;
  /** For the next calls, one each; then as `behave` said. */
  script(...behaviours: readonly Behaviour[]): void;
  /** Forgets what is left of the script. */
  unscript(): void;
  /** Resolves once this many calls have arrived since the start. */
  arrived(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** `remembersCalls`: `calls` is kept; not where a run has too many of them. */
export async function startMockProvider({ remembersCalls = true } = {}): Promise<MockProvider> {
  const provider = new Provider(remembersCalls);
  await provider.listen();
  return provider;
}

interface Arrived {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly body: ReceivedCall['body'];
}

class Provider implements MockProvider {
  readonly calls: ReceivedCall[] = [];
  url = '';
  abandoned = 0;
  readonly #remembersCalls: boolean;
  #arrived = 0;
  readonly #bills = new Map<string, TokenCount>();
  readonly #bill = { calls: 0, input: 0, output: 0 };
  readonly #script: Behaviour[] = [];
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  #behaviour: Behaviour | ((call: ReceivedCall) => Behaviour) = { kind: 'ok' };
  readonly #server = createServer((incoming, outgoing) => void this.#answer(incoming, outgoing));

  constructor(remembersCalls: boolean) {
    this.#remembersCalls = remembersCalls;
  }

  get bill() {
    return { ...this.#bill };
  }

  billOf(user: string): TokenCount | undefined {
    return this.#bills.get(user);
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  behave(behaviour: Behaviour | ((call: ReceivedCall) => Behaviour)): void {
    this.#behaviour = behaviour;
  }

  script(...behaviours: readonly Behaviour[]): void {
    this.#script.push(...behaviours);
  }

  unscript(): void {
    this.#script.length = 0;
  }

  arrived(count: number): Promise<void> {
    if (this.#arrived >= count) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.add({ count, resolve });
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as ReceivedCall['body'];
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) this.abandoned++;
    });
    const call = { path: incoming.url ?? '', headers: incoming.headers, body };
    this.#arrived++;
    if (this.#remembersCalls) this.calls.push(call);
    for (const waiting of this.#waiting) {
      if (this.#arrived < waiting.count) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
    const standing = this.#behaviour;
    const behaviour = this.#script.shift() ?? (typeof standing === 'function' ? standing(call) : standing);
    this.#charge(body, behaviour);
    this.#behaveOnce(behaviour, { incoming, outgoing, body });
  }

  #behaveOnce(behaviour: Behaviour, of: Arrived): void {
    const { incoming, outgoing } = of;
    switch (behaviour.kind) {
      case 'hang':
        return;
      case 'reset':
        incoming.socket.resetAndDestroy();
        return;
      case 'garbage':
        sendText(outgoing, { status: 200, type: 'application/json', text: '{"choices": [nonsense' });
        return;
      case 'html':
        sendText(outgoing, {
          status: 200,
          type: 'text/html',
          text: '<html><body>A captive portal</body></html>',
        });
        return;
      case 'status':
        for (const [name, value] of Object.entries(behaviour.headers ?? {})) outgoing.setHeader(name, value);
        sendText(outgoing, {
          status: behaviour.status,
          type: 'application/json',
          text: JSON.stringify({ error: { message: 'as told', type: 'mock', param: null, code: 'mock' } }),
        });
        return;
      case 'raw-stream':
      case 'stalled-stream':
      case 'half-stream':
        stream(behaviour, of);
        return;
      case 'ok':
      case 'no-usage':
      case 'negative-usage': {
        const usage = renderUsage(behaviour.kind, behaviour.tokens ?? TOKENS);
        this.#complete(of, usage, behaviour.kind === 'ok' ? behaviour : {});
        return;
      }
      case 'usage':
        this.#complete(of, JSON.stringify(behaviour.usage));
        return;
      case 'usage-text':
        this.#complete(of, behaviour.usage, behaviour);
    }
  }

  #charge(body: ReceivedCall['body'], behaviour: Behaviour): void {
    const tokens = behaviour.tokens ?? (BILLED.has(behaviour.kind) ? TOKENS : undefined);
    if (tokens === undefined) return;
    this.#bill.calls++;
    this.#bill.input += tokens.input;
    this.#bill.output += tokens.output;
    if (typeof body['user'] === 'string') this.#bills.set(body['user'], tokens);
  }

  #complete(
    { outgoing, body }: Pick<Arrived, 'outgoing' | 'body'>,
    usage: string | undefined,
    { text = WORDS.join(''), times = 1 }: { readonly text?: string; readonly times?: number } = {},
  ): void {
    if (body['stream'] !== true) {
      const answer = renderAnswer(body, text, usage);
      sendText(outgoing, { status: 200, type: 'application/json', text: answer });
      return;
    }
    startEvents(outgoing);
    for (const event of renderEvents(body, usage, times)) writeEvent(outgoing, event);
    outgoing.end('data: [DONE]\n\n');
  }
}

/** Streams that do not end as they should, or say what they are told. */
function stream(
  behaviour: Extract<Behaviour, { kind: 'raw-stream' | 'stalled-stream' | 'half-stream' }>,
  { incoming, outgoing, body }: Arrived,
): void {
  startEvents(outgoing);
  if (behaviour.kind === 'raw-stream') {
    for (const piece of behaviour.pieces) outgoing.write(piece);
    if (behaviour.ending === 'reset') setImmediate(() => incoming.socket.resetAndDestroy());
    else if (behaviour.ending !== 'silence') outgoing.end();
    return;
  }
  for (const word of WORDS.slice(0, 2)) writeEvent(outgoing, chunkOf(body, { word }));
  if (behaviour.kind === 'half-stream')
    outgoing.write('data: {"id":"half', () => incoming.socket.resetAndDestroy());
}

/** Answered in full. */
const BILLED: ReadonlySet<Behaviour['kind']> = new Set([
  'ok',
  'no-usage',
  'negative-usage',
  'usage',
  'usage-text',
  'raw-stream',
]);
