/** Test support: raw requests over kept-alive sockets, as many as the server takes, and their answers. */
import { connect } from 'node:net';
import type { Body } from '../keyfold.ts';

/** Read lazily: of most answers in a flood only the status matters. */
export class RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly #content: Buffer;

  constructor(head: string, content: Buffer) {
    this.status = Number(head.slice(9, 12));
    this.head = head;
    this.#content = content;
  }

  get text(): string {
    return this.#content.toString('utf8');
  }

  /** The body as a JSON object; empty when it is none. */
  get body(): Body {
    try {
      const value: unknown = JSON.parse(this.text);
      return typeof value === 'object' && value !== null ? (value as Body) : {};
    } catch {
      return {};
    }
  }

  header(name: string): string | undefined {
    const line = this.head.split('\r\n').find((each) => each.toLowerCase().startsWith(`${name}: `));
    return line?.slice(name.length + 2);
  }
}

export interface PumpOptions {
  /** Requests on their way at once, on this connection. */
  readonly depth?: number;
  readonly onAnswer: (answer: RawAnswer, place: number) => void;
}

/** The server is gone, and with it what it had been asked. */
export class LostConnectionError extends Error {}

/**
 * Sends one request after another over one connection, and another one when the server ends it. Resolves when every one
 * is answered; rejects when one never will be.
 */
export function pump(url: string, requests: Iterable<Buffer>, options: PumpOptions): Promise<void> {
  return new Promise((resolve, reject) => new Pump(url, requests, { ...options, resolve, reject }).start());
}

/** One request, one answer. */
export async function exchange(url: string, request: Buffer): Promise<RawAnswer> {
  const answers: RawAnswer[] = [];
  await pump(url, [request], { onAnswer: (answer) => answers.push(answer) });
  return answers[0] as RawAnswer;
}

interface PumpParts extends PumpOptions {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class Pump {
  readonly #url: URL;
  readonly #requests: Iterator<Buffer>;
  readonly #parts: PumpParts;
  readonly #depth: number;
  #received: Buffer = Buffer.alloc(0);
  #sent = 0;
  #answered = 0;
  #isSourceEmpty = false;
  #isClosing = false;
  #isFailed = false;

  constructor(url: string, requests: Iterable<Buffer>, parts: PumpParts) {
    this.#url = new URL(url);
    this.#requests = requests[Symbol.iterator]();
    this.#parts = parts;
    this.#depth = parts.depth ?? 1;
  }

  start(): void {
    this.#received = Buffer.alloc(0);
    this.#isClosing = false;
    const socket = connect({ port: Number(this.#url.port), host: this.#url.hostname, noDelay: true });
    const fail = (error: unknown) => {
      this.#isFailed = true;
      socket.destroy();
      this.#parts.reject(error instanceof Error ? error : new Error(String(error)));
    };
    const send = () => {
      const bytes: Buffer[] = [];
      while (!this.#isClosing && this.#sent - this.#answered < this.#depth) {
        const next = this.#requests.next();
        if (next.done === true) {
          this.#isSourceEmpty = true;
          break;
        }
        this.#sent++;
        bytes.push(next.value);
      }
      if (bytes.length > 0) socket.write(Buffer.concat(bytes));
      if (this.#isSourceEmpty && this.#sent === this.#answered) {
        socket.destroy();
        this.#parts.resolve();
      }
    };
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#take(chunk);
        send();
      } catch (error) {
        fail(error);
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#reopen());
    try {
      send();
    } catch (error) {
      fail(error);
    }
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const read = readAnswer(this.#received);
      if (read === undefined) return;
      this.#received = this.#received.subarray(read.length);
      if (/\r\nconnection: close/i.test(read.answer.head)) this.#isClosing = true;
      this.#parts.onAnswer(read.answer, this.#answered++);
    }
  }

  #reopen(): void {
    if (this.#isFailed || (this.#isSourceEmpty && this.#sent === this.#answered)) return;
    if (this.#sent === this.#answered) this.start();
    else
      this.#parts.reject(
        new LostConnectionError(`${this.#sent - this.#answered} requests were never answered`),
      );
  }
}

function readAnswer(bytes: Buffer): { answer: RawAnswer; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const start = headEnd + 4;
  if (/\r\ntransfer-encoding: chunked/i.test(head)) {
    const read = readChunks(bytes, start);
    return read && { answer: new RawAnswer(head, read.content), length: read.end };
  }
  const end = start + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (bytes.length < end) return undefined;
  return { answer: new RawAnswer(head, bytes.subarray(start, end)), length: end };
}

function readChunks(bytes: Buffer, start: number): { content: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  for (let place = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', place);
    if (lineEnd === -1) return undefined;
    const length = Number.parseInt(bytes.toString('latin1', place, lineEnd), 16);
    const end = lineEnd + 2 + length + 2;
    if (bytes.length < end) return undefined;
    if (length === 0) return { content: Buffer.concat(chunks), end };
    chunks.push(bytes.subarray(lineEnd + 2, end - 2));
    place = end;
  }
}
