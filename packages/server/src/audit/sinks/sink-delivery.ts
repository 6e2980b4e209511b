/**
 * Brings checkpoints to one sink: those after a stored position, in order, at least once. Nothing is kept in memory but how it
 * went; a sink that is down is asked again after pauses that grow.
 */
import type { Clock } from '../../kernel/clock.ts';
import { Fault, describeError } from '../../kernel/fault.ts';
import type { Database } from '../../storage/database.ts';
import type { CheckpointStore } from '../checkpoints/checkpoint-store.ts';
import type { AuditSink, SinkName } from './audit-sink.ts';
import { type SinkPosition, moveStep, readPositions } from './sink-positions.ts';

const PAGE_CHECKPOINTS = 100;
const PAGES_PER_RUN_MAX = 20;
const PAUSE_MS = { first: 250, max: 4_000 };
/** Without word of a new checkpoint: those of other processes come without. */
const LOOK_EVERY_MS = 5_000;
/** Checkpoints of another node are its own process's to deliver, unless they have waited so long. */
const TAKEN_OVER_AFTER_MS = 30_000;

export interface SinkStatus {
  readonly name: SinkName;
  readonly nodes: readonly SinkPosition[];
  readonly pending: number;
  readonly oldestAtMs: number | undefined;
  readonly lastSuccessMs: number | undefined;
  /** The newest problem since the last success, of this process. */
  readonly lastError: string | undefined;
}

export interface SinkDeliveryParts {
  readonly database: Database;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  /** Hears of the first problem after a success. */
  readonly onProblem: (sink: SinkName, problem: string) => void;
  readonly onPending: (sink: SinkName, pending: number) => void;
}

export class SinkDelivery {
  readonly name: SinkName;
  readonly #sink: AuditSink;
  readonly #parts: SinkDeliveryParts;
  #positions: readonly SinkPosition[] = [];
  #problem: string | undefined;
  #pauseMs = 0;
  #nextMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(sink: AuditSink, parts: SinkDeliveryParts) {
    this.name = sink.name;
    this.#sink = sink;
    this.#parts = parts;
  }

  /** There is a new checkpoint. A sink that is down is left its pause. */
  wake(): void {
    if (this.#problem === undefined) this.#nextMs = Number.NEGATIVE_INFINITY;
  }

  /** When the oldest checkpoint that the sink lacks was signed, as of the last look. */
  get oldestAtMs(): number | undefined {
    return oldestOf(this.#positions);
  }

  /** One turn; one at a time, and none before its time. Never rejects. */
  async run(): Promise<void> {
    if (this.#parts.clock.monotonicMs() < this.#nextMs) return;
    await this.#runNow();
  }

  /** At an orderly stop: tries once more, whatever the pause. */
  async finish(): Promise<void> {
    await this.#running;
    await this.#runNow();
  }

  close(): Promise<void> {
    return this.#sink.close();
  }

  async status(): Promise<SinkStatus> {
    const nodes = await readPositions(this.#parts.database, this.name);
    const successes = nodes.map(({ deliveredAtMs }) => deliveredAtMs ?? Number.NEGATIVE_INFINITY);
    const lastSuccessMs = Math.max(...successes);
    return {
      name: this.name,
      nodes,
      pending: countPending(nodes),
      oldestAtMs: oldestOf(nodes),
      lastSuccessMs: Number.isFinite(lastSuccessMs) ? lastSuccessMs : undefined,
      lastError: this.#problem,
    };
  }

  #runNow(): Promise<void> {
    this.#running ??= this.#deliver().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #deliver(): Promise<void> {
    const { clock } = this.#parts;
    // Set before the look: a checkpoint that is signed during it wakes again.
    this.#nextMs = clock.monotonicMs() + LOOK_EVERY_MS;
    const problem = await this.#deliverPages().catch((error: unknown) =>
      // What the database says is for logs alone.
      error instanceof Fault ? 'the database is not available' : describeError(error),
    );
    if (problem === undefined) {
      this.#problem = undefined;
      this.#pauseMs = 0;
      return;
    }
    if (this.#problem === undefined) this.#parts.onProblem(this.name, problem);
    this.#problem = problem;
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, PAUSE_MS.first), PAUSE_MS.max);
    this.#nextMs = clock.monotonicMs() + this.#pauseMs;
  }

  /** What went wrong, `undefined` when there is nothing more to deliver or the turn is long enough. */
  async #deliverPages(): Promise<string | undefined> {
    for (let pages = 0; pages < PAGES_PER_RUN_MAX; pages++) {
      await this.#look();
      const position = this.#positions.find((of) => this.#isToDeliver(of));
      if (position === undefined) return undefined;
      const problem = await this.#deliverPage(position);
      if (problem !== undefined) {
        await this.#look();
        return problem;
      }
    }
    this.#nextMs = Number.NEGATIVE_INFINITY;
    return undefined;
  }

  async #look(): Promise<void> {
    this.#positions = await readPositions(this.#parts.database, this.name);
    this.#parts.onPending(this.name, countPending(this.#positions));
  }

  #isToDeliver({ node, oldestAtMs }: SinkPosition): boolean {
    if (oldestAtMs === undefined) return false;
    const { clock, database } = this.#parts;
    return node === database.node || clock.nowMs() - oldestAtMs >= TAKEN_OVER_AFTER_MS;
  }

  async #deliverPage({ node, size }: SinkPosition): Promise<string | undefined> {
    const { database, store, clock } = this.#parts;
    const page = await store.after({ node, size }, PAGE_CHECKPOINTS);
    const { delivered, problem } = await this.#sink.deliver(page);
    const last = page[delivered - 1];
    if (last !== undefined) {
      const to = { sink: this.name, node, size: last.size, atMs: clock.nowMs() };
      await database.commit({ steps: [moveStep(database, to)] }, 'soon');
    }
    return problem;
  }
}

function countPending(positions: readonly SinkPosition[]): number {
  return positions.reduce((sum, { pending }) => sum + pending, 0);
}

function oldestOf(positions: readonly SinkPosition[]): number | undefined {
  const times = positions.map(({ oldestAtMs }) => oldestAtMs).filter((atMs) => atMs !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}
