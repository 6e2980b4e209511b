/**
 * Test support: an OpenAI-compatible provider on a loopback port (chat, streamed or not, and embeddings) that behaves as
 * it is told, and keeps its own bill.
 */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How one call is answered. A call that asks for a stream gets one where that makes sense. */
export type Behaviour =
  | { readonly kind: 'ok'; readonly text?: string; readonly tokens?: TokenCount }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** 200, said to be JSON, and none. */
  | { readonly kind: 'garbage' }
  | { readonly kind: 'html' }
  | { readonly kind: 'no-usage' }
  | { readonly kind: 'negative-usage' }
  /** Answers in full, with this value as its usage. */
  | { readonly kind: 'usage'; readonly usage: unknown }
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
  | { readonly kind: 'reset' };

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
  /** Tokens of every call that was answered in full: what the provider would charge for. */
  readonly bill: TokenCount & { readonly calls: number };
  /** Calls whose client went away before the answer was complete. */
  readonly abandoned: number;
  /** From now on. */
  behave(behaviour: Behaviour): void;
  /** For the next calls, one each; then as `behave` said. */
  script(...behaviours: readonly Behaviour[]): void;
  /** Forgets what is left of the script. */
  unscript(): void;
  /** Resolves once this many calls have arrived since the start. */
  arrived(count: number): Promise<void>;
  stop(): Promise<void>;
}

const TOKENS: TokenCount = { input: 10, output: 5 };
const WORDS = ['Hello', ' from', ' the', ' provider', '.'];

export async function startMockProvider(): Promise<MockProvider> {
  const provider = new Provider();
  await provider.listen();
  return provider;
}

class Provider implements MockProvider {
  readonly calls: ReceivedCall[] = [];
  url = '';
  abandoned = 0;
  readonly #bill = { calls: 0, input: 0, output: 0 };
  readonly #script: Behaviour[] = [];
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  #behaviour: Behaviour = { kind: 'ok' };
  readonly #server = createServer((incoming, outgoing) => void this.#answer(incoming, outgoing));

  get bill() {
    return { ...this.#bill };
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  behave(behaviour: Behaviour): void {
    this.#behaviour = behaviour;
  }

  script(...behaviours: readonly Behaviour[]): void {
    this.#script.push(...behaviours);
  }

  unscript(): void {
    this.#script.length = 0;
  }

  arrived(count: number): Promise<void> {
    if (this.calls.length >= count) return Promise.resolve();
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
    this.calls.push({ path: incoming.url ?? '', headers: incoming.headers, body });
    for (const waiting of this.#waiting) {
      if (this.calls.length < waiting.count) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
    this.#behaveOnce(this.#script.shift() ?? this.#behaviour, { incoming, outgoing, body });
  }

  #behaveOnce(
    behaviour: Behaviour,
    of: { incoming: IncomingMessage; outgoing: ServerResponse; body: ReceivedCall['body'] },
  ): void {
    const { incoming, outgoing, body } = of;
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
        this.#charge(TOKENS);
        startEvents(outgoing);
        for (const piece of behaviour.pieces) outgoing.write(piece);
        if (behaviour.ending === 'reset') setImmediate(() => incoming.socket.resetAndDestroy());
        else if (behaviour.ending !== 'silence') outgoing.end();
        return;
      case 'stalled-stream':
        startEvents(outgoing);
        for (const word of WORDS.slice(0, 2)) writeEvent(outgoing, chunkOf(body, { word }));
        return;
      case 'half-stream':
        startEvents(outgoing);
        for (const word of WORDS.slice(0, 2)) writeEvent(outgoing, chunkOf(body, { word }));
        outgoing.write('data: {"id":"half', () => incoming.socket.resetAndDestroy());
        return;
      case 'ok':
      case 'no-usage':
      case 'negative-usage':
      case 'usage':
        this.#complete(behaviour, { outgoing, body });
    }
  }

  #charge({ input, output }: TokenCount): void {
    this.#bill.calls++;
    this.#bill.input += input;
    this.#bill.output += output;
  }

  #complete(
    behaviour: Extract<Behaviour, { kind: 'ok' | 'no-usage' | 'negative-usage' | 'usage' }>,
    { outgoing, body }: { outgoing: ServerResponse; body: ReceivedCall['body'] },
  ): void {
    const tokens = (behaviour.kind === 'ok' ? behaviour.tokens : undefined) ?? TOKENS;
    const text = (behaviour.kind === 'ok' ? behaviour.text : undefined) ?? WORDS.join('');
    const usage = usageOf(behaviour, tokens);
    this.#charge(tokens);
    if (body['stream'] === true) {
      startEvents(outgoing);
      for (const word of WORDS) writeEvent(outgoing, chunkOf(body, { word }));
      writeEvent(outgoing, chunkOf(body, { isLast: true }));
      if (usage !== undefined && wantsUsage(body))
        writeEvent(outgoing, { ...chunkOf(body, {}), choices: [], usage });
      outgoing.end('data: [DONE]\n\n');
      return;
    }
    const content =
      body['input'] === undefined
        ? {
            ...headOf(body, 'chat.completion'),
            choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
          }
        : { ...headOf(body, 'list'), data: [{ object: 'embedding', index: 0, embedding: [0, 0.6, 0.8] }] };
    const answer = { ...content, ...(usage === undefined ? {} : { usage }) };
    sendText(outgoing, { status: 200, type: 'application/json', text: JSON.stringify(answer) });
  }
}

function usageOf(
  behaviour: Extract<Behaviour, { kind: 'ok' | 'no-usage' | 'negative-usage' | 'usage' }>,
  { input, output }: TokenCount,
): unknown {
  if (behaviour.kind === 'no-usage') return undefined;
  if (behaviour.kind === 'usage') return behaviour.usage;
  const sign = behaviour.kind === 'negative-usage' ? -1 : 1;
  return {
    prompt_tokens: input * sign,
    completion_tokens: output * sign,
    total_tokens: (input + output) * sign,
  };
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

function chunkOf(body: ReceivedCall['body'], of: { readonly word?: string; readonly isLast?: boolean }) {
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

function startEvents(outgoing: ServerResponse): void {
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
}

function writeEvent(outgoing: ServerResponse, event: object): void {
  outgoing.write(`data: ${JSON.stringify(event)}\n\n`);
}

function sendText(
  outgoing: ServerResponse,
  of: { readonly status: number; readonly type: string; readonly text: string },
): void {
  outgoing.writeHead(of.status, {
    'content-type': of.type,
    'content-length': String(Buffer.byteLength(of.text)),
  });
  outgoing.end(of.text);
}
