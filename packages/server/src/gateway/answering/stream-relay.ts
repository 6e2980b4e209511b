/**
 * Relays a provider's event stream to the client as it comes, with backpressure, while the tap watches for usage. Where
 * the call could still go elsewhere, the beginning is kept back until the model has said something; where the client
 * speaks another dialect, it is translated on the way.
 */
import type { FirstToken } from '../../dialects/first-token.ts';
import type { StreamTranslator } from '../../dialects/stream-translator.ts';
import type { Fault } from '../../kernel/fault.ts';
import type { StreamSummary, StreamTap } from '../../providers/provider.ts';
import type { ClientStream } from '../client-exchange.ts';

/** How long a client may leave what it was sent unread, while its call holds money, a place and a connection. */
export const CLIENT_STALL_MS = 60_000;
/** A beginning that is longer is no beginning any more. */
const HELD_BYTES_MAX = 1_048_576;

export interface StreamParts {
  /** Begins the answer to the client; called once, before the first of its bytes. */
  readonly open: () => ClientStream;
  readonly tap: StreamTap;
  readonly translator: StreamTranslator | undefined;
  /** Absent where nothing is kept back. */
  readonly firstToken: FirstToken | undefined;
  readonly resume: () => void;
  readonly stallMs?: number;
}

export class StreamRelay {
  readonly #parts: StreamParts;
  readonly #stallMs: number;
  #client: ClientStream | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #hasFailed = false;
  /** Runs while the client does not take what it was sent. */
  #stalled: NodeJS.Timeout | undefined;
  #isEnded = false;
  #isCompleted = false;
  #trailing: Buffer[] = [];

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#stallMs = parts.stallMs ?? CLIENT_STALL_MS;
    if (parts.firstToken === undefined) this.#begin();
  }

  /** The client's answer has begun: the call cannot go elsewhere any more. */
  get hasBegun(): boolean {
    return this.#client !== undefined;
  }

  /** The provider said, before anything else, that it fails. */
  get hasFailedFirst(): boolean {
    return this.#hasFailed;
  }

  /** What came cannot be translated to its end: the client's stream must end in an error. */
  get isBroken(): boolean {
    return this.#parts.translator?.hasFailed === true;
  }

  /** The client does not read what it was sent, so that not all is read that the provider sends. */
  get isPaused(): boolean {
    return this.#stalled !== undefined;
  }

  /** False when the client is slow and the provider must pause. */
  relay(chunk: Buffer): boolean {
    const bytes = this.#parts.tap.push(chunk);
    const pieces = Buffer.isBuffer(bytes) ? [bytes] : bytes;
    if (this.#client === undefined && !this.#mayBegin(chunk, pieces)) return true;
    let isTaken = this.#release();
    for (const piece of pieces) isTaken = this.#write(piece) && isTaken;
    if (!isTaken) this.#stalled ??= setTimeout(() => this.#client?.destroy(), this.#stallMs).unref();
    return isTaken;
  }

  /** What the tap saw, when nothing more comes. */
  finish(): StreamSummary {
    this.#isEnded = true;
    const summary = this.#parts.tap.finish();
    if (summary.trailing !== undefined) this.#trailing.push(summary.trailing);
    return summary;
  }

  /** Bytes that the tap held back go to the client: it then has all but the end. Done by `end` where it was not before. */
  complete(): void {
    if (this.#isCompleted) return;
    this.#isCompleted = true;
    this.#begin();
    this.#release();
    for (const piece of this.#trailing) this.#write(piece);
    const { translator } = this.#parts;
    if (translator !== undefined) this.#send(translator.finish());
  }

  /** Who has not read what came before must still do so in time. */
  end(): void {
    this.complete();
    this.#client?.end();
  }

  /** What the tap held back is part of an event without an end, and dropped. */
  fail(fault: Fault): void {
    this.#begin();
    this.#release();
    this.#client?.fail(fault);
  }

  #begin(): void {
    if (this.#client !== undefined) return;
    this.#client = this.#parts.open();
    this.#client.onDrain(() => {
      if (this.#stalled === undefined) return;
      clearTimeout(this.#stalled);
      this.#stalled = undefined;
      if (!this.#isEnded) this.#parts.resume();
    });
  }

  #mayBegin(chunk: Buffer, pieces: readonly Buffer[]): boolean {
    const beginning = this.#parts.firstToken?.push(chunk);
    this.#hasFailed = beginning === 'failed';
    if (!this.#hasFailed && (beginning === 'begun' || this.#heldBytes > HELD_BYTES_MAX)) {
      this.#begin();
      return true;
    }
    this.#held.push(...pieces);
    this.#heldBytes += chunk.length;
    return false;
  }

  #release(): boolean {
    const held = this.#held;
    if (held.length === 0) return true;
    this.#held = [];
    let isTaken = true;
    for (const piece of held) isTaken = this.#write(piece) && isTaken;
    return isTaken;
  }

  #write(bytes: Buffer): boolean {
    const { translator } = this.#parts;
    return this.#send(translator === undefined ? bytes : translator.push(bytes));
  }

  #send(bytes: Buffer): boolean {
    return bytes.length === 0 || this.#client === undefined || this.#client.write(bytes);
  }
}
