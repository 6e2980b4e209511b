/** Hands a renewed key to whoever stores it, again and again until it is stored, while the key before it still works. */
import { pauseBeforeMs } from './renewal-schedule.ts';
import { type Timing, sleep } from './timing.ts';

export interface RenewedKey {
  readonly key: string;
  /** Unchanged by renewal. */
  readonly keyId: string;
  readonly version: number;
  readonly expiresAt: Date | undefined;
  readonly previousExpiresAt: Date;
}

export interface RenewalFailure {
  readonly stage: 'renewal' | 'storing' | 'reloading';
  readonly error: unknown;
  /** When it is tried again; `undefined` when this failure leads to no other attempt. */
  readonly retryAt: Date | undefined;
}

/** How much of the old key's last time storing may take. */
const STORE_BEFORE = 0.8;

export class Handover {
  readonly #parts: HandoverParts;
  readonly #stored = new AbortController();
  readonly #stopped = new AbortController();

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the key is stored, or when the old one has so little time left that the new one must be used unstored;
   * then storing goes on behind. Never rejects.
   */
  async run(): Promise<void> {
    const { renewed, nowMs } = this.#parts;
    const leftMs = Math.max(0, renewed.previousExpiresAt.getTime() - nowMs());
    await Promise.race([this.#store(), this.#pause(leftMs * STORE_BEFORE, this.#stored.signal)]);
  }

  /** Lets the attempt that is running end, and makes no other. */
  stop(): void {
    this.#stopped.abort();
  }

  async #store(): Promise<void> {
    const { renewed, store, tell, nowMs, timing } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      try {
        await store(renewed);
        break;
      } catch (error) {
        const pauseMs = pauseBeforeMs(attempt, timing.random());
        const isLast = this.#stopped.signal.aborted;
        tell({ stage: 'storing', error, retryAt: isLast ? undefined : new Date(nowMs() + pauseMs) });
        await this.#pause(pauseMs, this.#stopped.signal);
        if (this.#stopped.signal.aborted) break;
      }
    }
    this.#stored.abort();
  }

  /** Ends early when the signal aborts. */
  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    return sleep(this.#parts.timing, delayMs, { signal, background: 'background' }).catch(() => undefined);
  }
}

export interface HandoverParts {
  readonly renewed: RenewedKey;
  readonly store: (renewed: RenewedKey) => void | Promise<void>;
  readonly tell: (failure: RenewalFailure) => void;
  readonly timing: Timing;
  readonly nowMs: () => number;
}

/** Who asked for no reports still ought to learn that a key is going to end. */
export function warnOfFailure({ stage, error }: RenewalFailure): void {
  const message = error instanceof Error ? error.message : 'unknown error';
  console.warn(`Keyfold: ${stage} of the key failed: ${message}`);
}
