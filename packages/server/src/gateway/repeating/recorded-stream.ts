/** A client's stream of which is kept what it was sent, so that a repeat can be given the same. Chunks must not change after. */
import { KEPT_ANSWER_BYTES_MAX } from '../../idempotency/kept-answer.ts';
import type { Fault } from '../../kernel/fault.ts';
import type { ClientStream } from '../client-exchange.ts';

export class RecordedStream implements ClientStream {
  readonly #stream: ClientStream;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(stream: ClientStream) {
    this.#stream = stream;
  }

  /** All that was sent; `undefined` when it is too long to be kept. */
  get sent(): Buffer | undefined {
    return this.#bytes > KEPT_ANSWER_BYTES_MAX ? undefined : Buffer.concat(this.#chunks);
  }

  write(bytes: Buffer): boolean {
    this.#bytes += bytes.length;
    if (this.#bytes <= KEPT_ANSWER_BYTES_MAX) this.#chunks.push(bytes);
    else this.#chunks = [];
    return this.#stream.write(bytes);
  }

  onDrain(listener: () => void): void {
    this.#stream.onDrain(listener);
  }

  end(): void {
    this.#stream.end();
  }

  fail(fault: Fault): void {
    this.#stream.fail(fault);
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
