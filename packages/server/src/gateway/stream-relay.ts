/** Relays a provider's event stream to the client as it comes, with backpressure, while the tap watches for usage. */
import type { Fault } from '../kernel/fault.ts';
import type { StreamSummary, StreamTap } from '../providers/provider.ts';
import type { ClientStream } from './client-exchange.ts';

/** How long a client may leave what it was sent unread, while its call holds money, a place and a connection. */
export const CLIENT_STALL_MS = 60_000;

export class StreamRelay {
  readonly #client: ClientStream;
  readonly #tap: StreamTap;
  readonly #stallMs: number;
  /** Runs while the client does not take what it was sent. */
  #stalled: NodeJS.Timeout | undefined;
  #isEnded = false;
  #trailing: Buffer | undefined;

  constructor(parts: {
    readonly client: ClientStream;
    readonly tap: StreamTap;
    readonly resume: () => void;
    readonly stallMs?: number;
  }) {
    this.#client = parts.client;
    this.#tap = parts.tap;
    this.#stallMs = parts.stallMs ?? CLIENT_STALL_MS;
    parts.client.onDrain(() => {
      if (this.#stalled === undefined) return;
      clearTimeout(this.#stalled);
      this.#stalled = undefined;
      if (!this.#isEnded) parts.resume();
    });
  }

  /** False when the client is slow and the provider must pause. */
  relay(chunk: Buffer): boolean {
    const bytes = this.#tap.push(chunk);
    let isTaken = true;
    if (Buffer.isBuffer(bytes)) isTaken = this.#write(bytes);
    else for (const part of bytes) isTaken = this.#write(part) && isTaken;
    if (!isTaken) this.#stalled ??= setTimeout(() => this.#client.destroy(), this.#stallMs).unref();
    return isTaken;
  }

  /** What the tap saw, when nothing more comes. */
  finish(): StreamSummary {
    this.#isEnded = true;
    const summary = this.#tap.finish();
    this.#trailing = summary.trailing;
    return summary;
  }

  /** Bytes that the tap held back go to the client. Who has not read what came before must still do so in time. */
  end(): void {
    if (this.#trailing !== undefined) this.#write(this.#trailing);
    this.#client.end();
  }

  /** What the tap held back is part of an event without an end, and dropped. */
  fail(fault: Fault): void {
    this.#client.fail(fault);
  }

  #write(bytes: Buffer): boolean {
    return bytes.length === 0 || this.#client.write(bytes);
  }
}
