/** Responsible for questions to a provider that are no calls: one small answer, gathered within bounds of bytes and time. */
import type { UpstreamQuestion, UpstreamRequest } from '../providers/provider.ts';
import type { OriginPool } from './pools.ts';
import { type Exchange, type UpstreamReceiver, send } from './send.ts';
import type { UpstreamFault } from './upstream-fault.ts';

export interface AskLimits {
  readonly bytesMax: number;
  /** From the question to the last byte of the answer, a connection included. */
  readonly timeoutMs: number;
}

export const DEFAULT_ASK_LIMITS: AskLimits = { bytesMax: 4 * 1_024 * 1_024, timeoutMs: 15_000 };

export interface UpstreamAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * Asks once, through the same door as every call. An answer that is too large is a `protocol` fault, one that is not
 * whole in time a `timeout`. Never rejects.
 */
export function ask(
  pool: OriginPool,
  question: UpstreamQuestion | UpstreamRequest,
  limits: AskLimits = DEFAULT_ASK_LIMITS,
): Promise<UpstreamAnswer | UpstreamFault> {
  return new Promise((resolve) => {
    const asking = new Asking(limits, resolve);
    asking.follow(send(pool, question, asking));
  });
}

class Asking implements UpstreamReceiver {
  readonly #limits: AskLimits;
  readonly #resolve: (outcome: UpstreamAnswer | UpstreamFault) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #isOver = false;
  #exchange: Exchange | undefined;

  constructor(limits: AskLimits, resolve: (outcome: UpstreamAnswer | UpstreamFault) => void) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.#giveUp('timeout', 'no answer in time'), limits.timeoutMs);
  }

  /** The exchange may have ended before it was known. */
  follow(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.#isOver) exchange.abort();
  }

  onHead(status: number): void {
    this.#status = status;
  }

  onBytes(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.bytesMax) {
      this.#giveUp('protocol', `the answer has more than ${this.#limits.bytesMax} bytes`);
      return false;
    }
    this.#chunks.push(chunk);
    return true;
  }

  onEnd(): void {
    this.#end({ status: this.#status, body: Buffer.concat(this.#chunks) });
  }

  onFault(fault: UpstreamFault): void {
    this.#end(fault);
  }

  #giveUp(kind: 'timeout' | 'protocol', detail: string): void {
    this.#end({ kind, sent: true, detail });
    this.#exchange?.abort();
  }

  /** What comes after is that the exchange was given up. */
  #end(outcome: UpstreamAnswer | UpstreamFault): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#resolve(outcome);
  }
}
