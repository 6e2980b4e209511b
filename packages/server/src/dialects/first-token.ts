/**
 * Watches the beginning of a provider's stream for the first thing that the model says. Until then a client has missed
 * nothing, and the call may still go to another target.
 */
import type { ChatEvent } from './chat.ts';
import type { StreamDecoder } from './dialect.ts';
import { EventReader } from './event-reader.ts';

export type Beginning = 'waiting' | 'begun' | 'failed';

export class FirstToken {
  readonly #reader = new EventReader();
  readonly #decoder: StreamDecoder;

  constructor(decoder: StreamDecoder) {
    this.#decoder = decoder;
  }

  /** What is known after this chunk. */
  push(chunk: Buffer): Beginning {
    for (const event of this.#reader.push(chunk)) {
      for (const { kind } of this.#decoder.push(event)) {
        if (kind === 'failed') return 'failed';
        if (SAID.has(kind)) return 'begun';
      }
    }
    return this.#reader.isTooLong ? 'begun' : 'waiting';
  }
}

/** Whatever the model says, and that it has ended without saying anything. */
const SAID: ReadonlySet<ChatEvent['kind']> = new Set<ChatEvent['kind']>([
  'text',
  'refusal',
  'reasoning',
  'signature',
  'tool_call',
  'stop',
  'end',
]);
