/** Test support: time that stands still until a test moves it, and chance that a test decides. */
import type { Timing } from '../src/timing.ts';

export interface ManualTimingOptions {
  readonly startMs?: number;
  /** A constant unless given. */
  readonly random?: () => number;
  /** Waits below this are over at once, whatever the clock says; they are in `waits` all the same. */
  readonly instantBelowMs?: number;
}

interface Timer {
  readonly atMs: number;
  readonly task: () => void;
  readonly background: boolean;
}

/** Macrotasks that a settled piece of work is given to run out: promises, streams in memory. */
const TURNS = 30;

export class ManualTiming implements Timing {
  /** Every wait that was asked for, in milliseconds. */
  readonly waits: number[] = [];
  readonly #timers = new Set<Timer>();
  readonly #random: () => number;
  readonly #instantBelowMs: number;
  #wallMs: number;
  #monotonicMs = 0;

  constructor(options: ManualTimingOptions = {}) {
    this.#wallMs = options.startMs ?? Date.UTC(2026, 10, 23, 12);
    this.#random = options.random ?? (() => 0.5);
    this.#instantBelowMs = options.instantBelowMs ?? 0;
  }

  /** Timers that have not run. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Whether the program would end although somebody waits. */
  get isAllBackground(): boolean {
    return [...this.#timers].every(({ background }) => background);
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  random(): number {
    return this.#random();
  }

  schedule(task: () => void, delayMs: number, background?: 'background'): () => void {
    this.waits.push(delayMs);
    if (delayMs < this.#instantBelowMs) {
      const immediate = setImmediate(task);
      return () => {
        clearImmediate(immediate);
      };
    }
    const timer = { atMs: this.#monotonicMs + delayMs, task, background: background !== undefined };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Lets that much time pass. What falls due on the way runs at its time, and has run out before the next does. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#moveTo(next.atMs);
      next.task();
      await settle();
    }
    this.#moveTo(endMs);
  }

  /** Sets the wall clock alone. */
  setTo(wallMs: number): void {
    this.#wallMs = wallMs;
  }

  #moveTo(monotonicMs: number): void {
    const passedMs = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#monotonicMs += passedMs;
    this.#wallMs += passedMs;
  }
}

/** Until everything that can go on without time or network has gone on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
