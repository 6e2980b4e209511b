/** Has streams counted that were cut off, in a thread that starts with the first of them. */
import { Worker } from 'node:worker_threads';
import type { Dialect } from '../../providers/provider.ts';

/** Streams that may wait to be counted; the next one is charged at its hold. */
const WAITING_MAX = 256;
/** How long a count may take, with those before it. */
const COUNT_MS_MAX = 5_000;

export interface Countable {
  /** What the provider speaks. */
  readonly dialect: Dialect;
  /** The body that it was sent. */
  readonly request: Buffer;
  /** What came of its answer. */
  readonly streamed: Buffer;
}

export interface Counted {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface CountJob extends Countable {
  readonly id: number;
}

export interface CountAnswer extends Counted {
  readonly id: number;
}

export class TokenCounter {
  #worker: Worker | undefined;
  readonly #onDied: (error: Error) => void;
  readonly #waiting = new Map<number, (counted: Counted | undefined) => void>();
  #nextId = 1;

  /** `onDied` hears why a thread ended that was not told to: until the next count all is charged at its hold. */
  constructor(onDied: (error: Error) => void) {
    this.#onDied = onDied;
  }

  /** `undefined` when it cannot be counted, or not in time. Never rejects. */
  count(of: Countable): Promise<Counted | undefined> {
    if (this.#waiting.size >= WAITING_MAX) return Promise.resolve(undefined);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      // A thread that hangs would keep all others waiting: it is given up, with them.
      const timer = setTimeout(() => {
        this.close();
        this.#onDied(new Error(`no count within ${COUNT_MS_MAX} ms`));
      }, COUNT_MS_MAX);
      this.#waiting.set(id, (counted) => {
        clearTimeout(timer);
        resolve(counted);
      });
      this.#start().postMessage({ id, ...of } satisfies CountJob);
    });
  }

  /** Ends the thread. Whoever waits is told that nothing was counted. */
  close(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const resolve of waiting) resolve(undefined);
    void worker?.terminate();
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const file = import.meta.url.endsWith('.ts') ? './count-worker.ts' : './count-worker.js';
    const worker = new Worker(new URL(file, import.meta.url));
    worker.unref();
    worker.on('message', ({ id, ...counted }: CountAnswer) => {
      const resolve = this.#waiting.get(id);
      this.#waiting.delete(id);
      resolve?.(counted);
    });
    // What a thread dies of, it dies of for all who wait; the next count starts another.
    const giveUp = (error: Error) => {
      if (this.#worker !== worker) return;
      this.close();
      this.#onDied(error);
    };
    worker.on('error', (error) => giveUp(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', (code) => giveUp(new Error(`the thread ended with ${code}`)));
    this.#worker = worker;
    return worker;
  }
}
