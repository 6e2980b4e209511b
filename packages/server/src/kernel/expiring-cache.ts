/** A bounded cache whose entries live a fixed time; the oldest entry makes room for a new one. */
import type { Clock } from './clock.ts';

interface Entry<Value> {
  readonly value: Value;
  readonly untilMs: number;
}

export class ExpiringCache<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #limits: { readonly entriesMax: number; readonly ttlMs: number };
  readonly #clock: Clock;

  constructor(limits: { readonly entriesMax: number; readonly ttlMs: number }, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get(name: string): Value | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (entry.untilMs > this.#clock.monotonicMs()) return entry.value;
    this.#entries.delete(name);
    return undefined;
  }

  set(name: string, value: Value): void {
    this.#entries.delete(name);
    if (this.#entries.size >= this.#limits.entriesMax) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    this.#entries.set(name, { value, untilMs: this.#clock.monotonicMs() + this.#limits.ttlMs });
  }

  clear(): void {
    this.#entries.clear();
  }
}
