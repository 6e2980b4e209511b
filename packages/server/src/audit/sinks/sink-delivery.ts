/**
 * Brings checkpoints to one sink: those after a stored position, in order, at least once, and none that the key has not
 * signed. Of the own node the process knows by itself what was signed and delivered, and the database must agree; a sink that
 * is down is asked again after pauses that grow.
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../kernel/clock.ts';
import { Fault, describeError } from '../../kernel/fault.ts';
import type { Database } from '../../storage/database.ts';
import {
  type CheckpointPlace,
  type CheckpointStore,
  type StoredCheckpoint,
  isGenuine,
  stateOf,
} from '../checkpoints/checkpoint-store.ts';
import type { Checkpointer } from '../checkpoints/checkpointer.ts';
import type { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import type { ChainPoint } from '../../storage/chain-memory.ts';
import type { AuditSink, SinkName } from './audit-sink.ts';
import { type SinkPosition, moveStep, readPositions } from './sink-positions.ts';

const PAGE_CHECKPOINTS = 100;
const PAGES_PER_RUN_MAX = 20;
const VERIFIED_AT_ONCE = 10;
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
  readonly key: CheckpointKey;
  readonly checkpointer: Pick<Checkpointer, 'signed' | 'isInconsistent' | 'contradict'>;
  /** Hears of the first problem after a success. */
  readonly onProblem: (sink: SinkName, problem: string) => void;
  readonly onPending: (sink: SinkName, pending: number) => void;
}

export class SinkDelivery {
  readonly name: SinkName;
  readonly #sink: AuditSink;
  readonly #parts: SinkDeliveryParts;
  #positions: readonly SinkPosition[] = [];
  /** What the sink has of the own node, as this process knows. */
  #own: CheckpointPlace | undefined;
  /** The newest checkpoint of the own node when the sink had the one before it: what it must have in time. */
  #due: (CheckpointPlace & { readonly sinceMs: number }) | undefined;
  /** Since when what other nodes have waits where it is. */
  readonly #others = new Map<number, { readonly size: number; readonly sinceMs: number }>();
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

  /** For how long the sink lacks what it should have by now, by the monotonic clock. To be asked often; reads nothing. */
  watchLagMs(): number {
    const { checkpointer, clock } = this.#parts;
    const { signed } = checkpointer;
    if (signed !== undefined) {
      const { node, sequence } = signed;
      const size = this.#sizeOf(node);
      if (this.#due?.node !== node || size >= this.#due.size) {
        this.#due = size >= sequence ? undefined : { node, size: sequence, sinceMs: clock.monotonicMs() };
      }
    }
    return this.#due === undefined ? 0 : clock.monotonicMs() - this.#due.sinceMs;
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
      const { checkpointer, database } = this.#parts;
      const { signed } = checkpointer;
      if (signed !== undefined) await this.#compareOwn(signed);
      const isOwnBroken = checkpointer.isInconsistent(database.node);
      const isOwnDue = signed !== undefined && !isOwnBroken && this.#sizeOf(signed.node) < signed.sequence;
      const next = isOwnDue
        ? { node: signed.node, size: this.#sizeOf(signed.node) }
        : this.#positions.find((of) => this.#isToTakeOver(of));
      if (next === undefined) return isOwnBroken ? 'the audit chain of this node is inconsistent' : undefined;
      const problem = await this.#deliverPage(next, isOwnDue ? signed : undefined);
      if (problem !== undefined) {
        await this.#look();
        return problem;
      }
    }
    this.#nextMs = Number.NEGATIVE_INFINITY;
    return undefined;
  }

  /** The stored position of the own node is of something that was signed, or somebody has written it. */
  async #compareOwn({ node, sequence }: ChainPoint): Promise<void> {
    const { store, key, checkpointer } = this.#parts;
    if (checkpointer.isInconsistent(node)) return;
    const size = this.#positions.find((of) => of.node === node)?.size ?? 0;
    if (size > Math.max(sequence, this.#sizeOf(node))) {
      const row = await store.find({ node, size });
      if (row === undefined || !isGenuine(row, key)) {
        return checkpointer.contradict({ node, size, why: 'a sink is said to have what was never signed' });
      }
    }
    if (this.#own?.node !== node || size > this.#own.size) this.#own = { node, size };
  }

  #sizeOf(node: number): number {
    return this.#own?.node === node ? this.#own.size : 0;
  }

  async #look(): Promise<void> {
    this.#positions = await readPositions(this.#parts.database, this.name);
    this.#parts.onPending(this.name, countPending(this.#positions));
  }

  #isToTakeOver({ node, size, pending }: SinkPosition): boolean {
    const { checkpointer, clock, database } = this.#parts;
    if (node === database.node || pending === 0 || checkpointer.isInconsistent(node)) return false;
    const seen = this.#others.get(node);
    if (seen?.size === size) return clock.monotonicMs() - seen.sinceMs >= TAKEN_OVER_AFTER_MS;
    // Once it is taken over, what follows waits no longer.
    const isGoingOn = seen !== undefined && clock.monotonicMs() - seen.sinceMs >= TAKEN_OVER_AFTER_MS;
    this.#others.set(node, { size, sinceMs: isGoingOn ? seen.sinceMs : clock.monotonicMs() });
    return isGoingOn;
  }

  async #deliverPage(from: CheckpointPlace, signed: ChainPoint | undefined): Promise<string | undefined> {
    const { database, store, clock, checkpointer } = this.#parts;
    const { node } = from;
    let page = await store.after(from, PAGE_CHECKPOINTS);
    const lost = signed === undefined ? undefined : findLost(page, signed);
    if (lost !== undefined) {
      await checkpointer.contradict({ node, size: lost, why: 'a checkpoint that was signed is gone' });
      return undefined;
    }
    // A checkpoint says what all before it say: a sink that is slow gets the newest when there are too many.
    if (this.#sink.takesAll === false && page.length === PAGE_CHECKPOINTS) {
      const newest = await store.newestOf(node);
      if (newest !== undefined) page = [newest];
    }
    const genuine = await this.#takeGenuine(page);
    const forged = page[genuine.length];
    if (forged !== undefined) {
      await checkpointer.contradict({
        node,
        size: forged.size,
        why: 'a checkpoint is not signed with this root key',
      });
    }
    if (genuine.length === 0) return undefined;
    const hadSome = this.#positions.some(({ size }) => size > 0);
    const { delivered, problem } = await this.#sink.deliver(genuine, hadSome);
    const last = genuine[delivered - 1];
    if (last !== undefined) {
      if (node === database.node) this.#own = { node, size: last.size };
      const to = { sink: this.name, node, size: last.size, atMs: clock.nowMs() };
      await database.commit({ steps: [moveStep(database, to)] }, 'soon');
    }
    return problem;
  }

  /** Those before the first that the key has not signed. Calls are let in between. */
  async #takeGenuine(page: readonly StoredCheckpoint[]): Promise<readonly StoredCheckpoint[]> {
    for (const [index, checkpoint] of page.entries()) {
      if (!isGenuine(checkpoint, this.#parts.key)) return page.slice(0, index);
      if (index % VERIFIED_AT_ONCE === VERIFIED_AT_ONCE - 1) await setImmediate();
    }
    return page;
  }
}

/** The size that was signed, where a page that must hold it does not, or says another head. */
function findLost(page: readonly StoredCheckpoint[], signed: ChainPoint): number | undefined {
  const row = page.find(({ size }) => size === signed.sequence);
  if (row !== undefined) return stateOf(row).head === signed.head ? undefined : signed.sequence;
  const isBeyond = page.length === PAGE_CHECKPOINTS && (page.at(-1)?.size ?? 0) < signed.sequence;
  return isBeyond ? undefined : signed.sequence;
}

function countPending(positions: readonly SinkPosition[]): number {
  return positions.reduce((sum, { pending }) => sum + pending, 0);
}

function oldestOf(positions: readonly SinkPosition[]): number | undefined {
  const times = positions.map(({ oldestAtMs }) => oldestAtMs).filter((atMs) => atMs !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}
