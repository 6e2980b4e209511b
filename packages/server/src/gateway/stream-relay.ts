/** Relays a provider's event stream to the client as it comes, with backpressure, while the tap watches for usage. */
import type { Fault } from '../kernel/fault.ts';
import type { StreamSummary, StreamTap } from '../providers/provider.ts';
import type { ClientStream } from './client-exchange.ts';

export class StreamRelay {
  readonly #client: ClientStream;
  readonly #tap: StreamTap;
  #isPaused = false;
  #trailing: Buffer | undefined;

  constructor(parts: { client: ClientStream; tap: StreamTap; resume: () => void }) {
    this.#client = parts.client;
    this.#tap = parts.tap;
    parts.client.onDrain(() => {
      if (!this.#isPaused) return;
      this.#isPaused = false;
      parts.resume();
    });
  }

  /** False when the client is slow and the provider must pause. */
  relay(chunk: Buffer): boolean {
    const bytes = this.#tap.push(chunk);
    let isTaken = true;
    if (Buffer.isBuffer(bytes)) isTaken = this.#write(bytes);
    else for (const part of bytes) isTaken = this.#write(part) && isTaken;
    this.#isPaused = !isTaken;
    return isTaken;
  }

  /** What the tap saw, when nothing more comes. */
  finish(): StreamSummary {
    const summary = this.#tap.finish();
    this.#trailing = summary.trailing;
    return summary;
  }

  /** Bytes that the tap held back go to the client; of a stream that fails they are part of an event without an end. */
  end(): void {
    if (this.#trailing !== undefined) this.#write(this.#trailing);
    this.#client.end();
  }

  fail(fault: Fault): void {
    this.#client.fail(fault);
  }

  #write(bytes: Buffer): boolean {
    return bytes.length === 0 || this.#client.write(bytes);
  }
}
