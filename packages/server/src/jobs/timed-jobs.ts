/** Work that recurs: each job runs alone, a failure is reported and tried again at the next turn. */

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  run(): Promise<unknown>;
}

export class TimedJobs {
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (job: string, error: unknown) => void;

  constructor(onFailure: (job: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  start(jobs: readonly Job[]): void {
    for (const job of jobs) this.#timers.push(this.#repeat(job).unref());
  }

  /** No job starts any more; resolves when those that run have ended. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#running);
  }

  #repeat(job: Job): NodeJS.Timeout {
    let isRunning = false;
    return setInterval(() => {
      if (isRunning) return;
      isRunning = true;
      const running = job
        .run()
        .then(
          () => undefined,
          (error: unknown) => this.#onFailure(job.name, error),
        )
        .finally(() => {
          isRunning = false;
          this.#running.delete(running);
        });
      this.#running.add(running);
    }, job.everyMs);
  }
}
