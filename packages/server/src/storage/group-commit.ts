/** Group commit: units of work that arrive while a commit is running share the next one, in the order they came. */
import { Fault, describeError } from '../kernel/fault.ts';
import type { Outcome, UnitOfWork, Urgency } from './database.ts';

/** What became of one unit in a batch; `error` when a step of it broke. */
export type UnitResult = Outcome | { readonly error: string };

export interface GroupCommitLimits {
  /** Units in one commit. */
  readonly unitsPerCommitMax: number;
  /** Units waiting. Beyond it a unit is refused at once: memory is bounded, and the caller can say 503. */
  readonly queueMax: number;
  /** How long a unit that is not urgent waits for one that is. */
  readonly lingerMs: number;
}

export const GROUP_COMMIT_LIMITS: GroupCommitLimits = {
  unitsPerCommitMax: 512,
  queueMax: 20_000,
  lingerMs: 5,
};

interface Waiting {
  readonly unit: UnitOfWork;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (fault: Fault) => void;
}

export class GroupCommit {
  readonly #run: (units: readonly UnitOfWork[]) => Promise<readonly UnitResult[]>;
  readonly #limits: GroupCommitLimits;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #linger: NodeJS.Timeout | undefined;
  #closed = false;
  #submitted = 0;
  #finished = 0;

  constructor(
    run: (units: readonly UnitOfWork[]) => Promise<readonly UnitResult[]>,
    limits: GroupCommitLimits = GROUP_COMMIT_LIMITS,
  ) {
    this.#run = run;
    this.#limits = limits;
  }

  submit(unit: UnitOfWork, urgency: Urgency = 'now'): Promise<Outcome> {
    if (this.#closed) return Promise.reject(new Fault('unavailable', { internal: 'the database is closed' }));
    if (this.#queue.length >= this.#limits.queueMax) {
      return Promise.reject(new Fault('unavailable', { internal: 'the commit queue is full' }));
    }
    this.#submitted++;
    return new Promise((resolve, reject) => {
      this.#queue.push({ unit, resolve, reject });
      if (urgency === 'now') this.#start();
      else this.#linger ??= setTimeout(() => this.#start(), this.#limits.lingerMs);
    });
  }

  /** Resolves once everything submitted before the call is durable or has failed, whatever is submitted after it. */
  async barrier(): Promise<void> {
    const mark = this.#submitted;
    while (this.#finished < mark) {
      this.#start();
      await this.#running;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#queue.length > 0 || this.#running !== undefined) {
      this.#start();
      await this.#running;
    }
  }

  #start(): void {
    if (this.#running !== undefined || this.#queue.length === 0) return;
    clearTimeout(this.#linger);
    this.#linger = undefined;
    const batch = this.#queue.splice(0, this.#limits.unitsPerCommitMax);
    this.#running = this.#commit(batch).finally(() => {
      this.#finished += batch.length;
      this.#running = undefined;
      this.#start();
    });
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    let results: readonly UnitResult[];
    try {
      results = await this.#run(batch.map((waiting) => waiting.unit));
    } catch (error) {
      const fault = new Fault('unavailable', {
        internal: `commit failed: ${describeError(error)}`,
        cause: error,
      });
      for (const waiting of batch) waiting.reject(fault);
      return;
    }
    for (const [index, waiting] of batch.entries()) {
      const result = results[index];
      if (result !== undefined && 'committed' in result) waiting.resolve(result);
      else
        waiting.reject(
          new Fault('unavailable', { internal: `unit of work failed: ${result?.error ?? 'no result'}` }),
        );
    }
  }
}
