/** Turns a provider's streamed answer into the client's dialect, piece by piece as it comes. */
import type { StreamDecoder, StreamEncoder } from './dialect.ts';
import { EventReader } from './event-reader.ts';
import type { ChatEvent } from './chat.ts';

export class StreamTranslator {
  readonly #reader = new EventReader();
  readonly #decoder: StreamDecoder;
  readonly #encoder: StreamEncoder;
  #hasFailed = false;

  constructor(decoder: StreamDecoder, encoder: StreamEncoder) {
    this.#decoder = decoder;
    this.#encoder = encoder;
  }

  /** The provider broke off, or sent what cannot be read: the client's stream must end in an error. */
  get hasFailed(): boolean {
    return this.#hasFailed || this.#reader.isTooLong;
  }

  /** What the client is sent for this chunk; possibly nothing yet. */
  push(chunk: Buffer): Buffer {
    let text = '';
    for (const event of this.#reader.push(chunk)) text += this.#encode(this.#decoder.push(event));
    return Buffer.from(text);
  }

  /** The end of what the client is sent. */
  finish(): Buffer {
    let text = '';
    for (const event of this.#reader.finish()) text += this.#encode(this.#decoder.push(event));
    return Buffer.from(text + this.#encode(this.#decoder.finish()));
  }

  #encode(events: readonly ChatEvent[]): string {
    let text = '';
    for (const event of events) {
      if (event.kind === 'failed') this.#hasFailed = true;
      if (!this.#hasFailed) text += this.#encoder.push(event);
    }
    return text;
  }
}
