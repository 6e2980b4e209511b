/**
 * Signs checkpoints of this node's chain as its writer has it in memory, so that a row that was edited behind the server's
 * back is never signed; and of chains that were left, after folding their records. Never one that contradicts the last.
 */
import type { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import { BoundedWait } from '../../kernel/bounded-wait.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ChainState } from '../../storage/audit-chain.ts';
import type { ChainPoint } from '../../storage/chain-memory.ts';
import type { Database } from '../../storage/database.ts';
import type { AuditLog } from '../audit-log.ts';
import { type CheckpointStore, isGenuine, stateOf } from './checkpoint-store.ts';
import { type Inconsistency, foldChain } from './fold-chain.ts';
import { findLeftNodes } from './left-nodes.ts';

/** The promise is a minute; a turn of the job and a commit are still to come. */
const CHECKPOINT_EVERY_MS = 58_000;
const LOOK_FOR_LEFT_NODES_MS = 30_000;
/** After a turn that failed: the database, or the checkpoint file, is away. */
const PAUSE_MS = 2_000;
/** The promise: within this there is a checkpoint. */
const SIGNED_WITHIN_MS = 60_000;
const WITNESS_TIMEOUT_MS = 60_000;
const NOT_SIGNED = 'the last checkpoint is not signed with this root key';
/** Checkpoints in one commit. */
const CHECKPOINTS_PER_COMMIT_MAX = 100;

export interface CheckpointerParts {
  readonly database: Database;
  readonly store: CheckpointStore;
  readonly key: CheckpointKey;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** The newest checkpoint of a node that was kept outside of the database, in a file. */
  readonly readWitness: (node: number) => Promise<ChainState | undefined>;
  /** New checkpoints are there. */
  readonly onSigned: () => void;
  readonly onInconsistent: (inconsistency: Inconsistency) => void;
}

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  readonly #inconsistent = new Map<number, Inconsistency>();
  /** What no audit event tells of yet. */
  readonly #unrecorded = new Set<Inconsistency>();
  /** The last checkpoint of the own node that this process knows by itself. */
  #signed: ChainPoint | undefined;
  /** Milestones that are not signed yet. */
  #milestones: ChainPoint[] = [];
  #signedAtMs = Number.NEGATIVE_INFINITY;
  readonly #startedMs: number;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isStopping = false;
  #pauseUntilMs = Number.NEGATIVE_INFINITY;
  /** Since when there is something that is not signed, by the monotonic clock and as of the last `watch`. */
  #unsignedSinceMs: number | undefined;
  /** What this process has itself made durable as other nodes than the one that it is now. */
  readonly #departed = new Map<number, readonly ChainState[]>();
  #departedOpening = 1;
  readonly #halting = Promise.withResolvers<'stopped'>();
  readonly #waiting = new BoundedWait(WITNESS_TIMEOUT_MS);

  constructor(parts: CheckpointerParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
  }

  get inconsistencies(): readonly Inconsistency[] {
    return [...this.#inconsistent.values()];
  }

  /** Since this process signed its last checkpoint, or started. */
  get sinceLastMs(): number {
    return this.#parts.clock.monotonicMs() - Math.max(this.#signedAtMs, this.#startedMs);
  }

  /** The last checkpoint of the own node, where this process is certain of it. */
  get signed(): ChainPoint | undefined {
    const { chain, node } = this.#parts.database;
    return chain.isConfirmed && this.#signed?.node === node ? this.#signed : undefined;
  }

  isInconsistent(node: number): boolean {
    return this.#inconsistent.has(node);
  }

  /**
   * How long what this process has recorded is unsigned beyond the minute that it may be, whatever the reason: a turn that
   * hangs, fails, or signs nothing any more. To be asked often; reads nothing.
   */
  watchOverdueMs(): number {
    const { database, clock } = this.#parts;
    const { newest } = database.chain;
    const isSigned = newest.node === this.#signed?.node && newest.sequence <= this.#signed.sequence;
    this.#unsignedSinceMs = isSigned ? undefined : (this.#unsignedSinceMs ?? clock.monotonicMs());
    if (this.#unsignedSinceMs === undefined) return 0;
    return Math.max(0, clock.monotonicMs() - this.#unsignedSinceMs - SIGNED_WITHIN_MS);
  }

  /** One turn. Rejects when the database or the checkpoint file is away; nothing is lost by it. */
  async run(): Promise<void> {
    const { clock } = this.#parts;
    if (clock.monotonicMs() < this.#pauseUntilMs) return;
    try {
      await this.#recordFound();
      await this.#signOwn(false);
      await this.#signLeft();
    } catch (error) {
      this.#pauseUntilMs = clock.monotonicMs() + PAUSE_MS;
      throw error;
    }
  }

  /** Somebody has found what cannot be: nothing is signed for the node any more. Told once. */
  async contradict(inconsistency: Inconsistency): Promise<void> {
    if (!this.#inconsistent.has(inconsistency.node)) await this.#refuse(inconsistency);
  }

  /** A fold that is under way ends. */
  halt(): void {
    this.#isStopping = true;
    this.#halting.resolve('stopped');
  }

  /** At an orderly stop: what there is, is signed. */
  async finish(): Promise<void> {
    await this.#signOwn(true);
  }

  async #signOwn(isLast: boolean): Promise<void> {
    const { clock, database } = this.#parts;
    const { chain } = database;
    this.#milestones.push(...chain.takeMilestones());
    await this.#signDeparted();
    const { node } = chain.opening.point;
    if (this.#inconsistent.has(node)) {
      this.#milestones = [];
      return;
    }
    if (!chain.isConfirmed && (isLast || !(await this.#check()))) return;
    // The session was lost again meanwhile: what it went on from is checked in the next turn.
    if (!chain.isConfirmed) return;
    const size = this.#signed?.sequence ?? 0;
    const points = this.#milestones.filter((point) => point.node === node && point.sequence > size);
    this.#milestones = points;
    const { newest } = chain;
    const isDue = isLast || clock.monotonicMs() - this.#signedAtMs >= CHECKPOINT_EVERY_MS;
    if (isDue && newest.sequence > (points.at(-1)?.sequence ?? size)) points.push(newest);
    while (points.length > 0) {
      const some = points.slice(0, CHECKPOINTS_PER_COMMIT_MAX);
      if (!(await this.#sign(some))) {
        // Another process has signed for this node: what it signed must be of the same chain.
        chain.doubt();
        return;
      }
      this.#signed = some.at(-1);
      this.#unsignedSinceMs = undefined;
      points.splice(0, some.length);
    }
  }

  /** What the writer went on from against what was signed before it: true when that holds. */
  async #check(): Promise<boolean> {
    const { chain } = this.#parts.database;
    const { opening, newest } = chain;
    const { node } = opening.point;
    const own = this.#signed?.node === node ? this.#signed : undefined;
    const before = opening.before.filter((point) => point.node === node);
    const meets = [...before, ...(own === undefined ? [] : [own]), ...(this.#departed.get(node) ?? [])];
    const signed = await this.#foldAndSign({ to: newest, meets });
    if (signed === undefined) return false;
    this.#signed = signed === 'nothing' ? own : { node, ...signed };
    chain.confirm(opening.number);
    return true;
  }

  /** The process has become another node: what it knows of the one that it was is signed before anybody can rewrite it. */
  async #signDeparted(): Promise<void> {
    const { opening } = this.#parts.database.chain;
    if (opening.number === this.#departedOpening) return;
    for (const point of opening.before) {
      if (point.node === opening.point.node) continue;
      const known = this.#departed.get(point.node) ?? [];
      this.#departed.set(point.node, [...known.slice(0, 1), point]);
      if (point.isConfirmed && !this.#inconsistent.has(point.node)) await this.#signDepartedAt(point);
    }
    this.#departedOpening = opening.number;
  }

  async #signDepartedAt(point: ChainPoint): Promise<void> {
    const { database, store, key } = this.#parts;
    const { node } = point;
    const own = this.#signed?.node === node ? this.#signed : undefined;
    const row = await store.newestOf(node);
    if (row !== undefined && !isGenuine(row, key))
      return this.#refuse({ node, size: row.size, why: NOT_SIGNED });
    if (row?.size === own?.sequence) {
      const isLater = ({ sequence }: ChainState) => sequence > (own?.sequence ?? 0);
      const milestones = this.#milestones.filter((of) => of.node === node && of.sequence < point.sequence);
      await this.#signAll([...milestones, point].filter((of) => isLater(of)));
      return;
    }
    // Somebody was quicker. What was signed and what this process knows must be of one chain.
    const states = [point, ...(own === undefined ? [] : [own]), ...(row === undefined ? [] : [stateOf(row)])];
    const to = states.reduce((last, of) => (of.sequence > last.sequence ? of : last));
    const request = { node, from: undefined, to, meets: states, isStopping: () => this.#isStopping };
    const folded = await foldChain(database, request);
    if (folded !== 'stopped' && 'why' in folded) await this.#refuse(folded);
  }

  async #signLeft(): Promise<void> {
    const { clock, database } = this.#parts;
    if (database.dialect !== 'postgres') return;
    if (clock.monotonicMs() - this.#lookedMs < LOOK_FOR_LEFT_NODES_MS) return;
    this.#lookedMs = clock.monotonicMs();
    for (const end of await findLeftNodes(database, clock.nowMs())) {
      if (end.node === database.node || this.#inconsistent.has(end.node)) continue;
      const signed = await this.#foldAndSign({ to: end, meets: this.#departed.get(end.node) ?? [] });
      if (signed === undefined || (signed !== 'nothing' && signed.sequence === end.sequence)) continue;
      await this.#sign([end]);
    }
  }

  /**
   * Folds a chain from its last checkpoint on and signs the milestones on the way. Answers the last checkpoint that there
   * is then, `undefined` where the chain does not hold, the process stops, or another process was quicker.
   */
  async #foldAndSign(of: {
    readonly to: ChainPoint;
    readonly meets: readonly ChainState[];
  }): Promise<ChainState | 'nothing' | undefined> {
    const { database, store, key, readWitness } = this.#parts;
    const { node } = of.to;
    const row = await store.newestOf(node);
    if (row !== undefined && !isGenuine(row, key)) {
      return this.#refuse({ node, size: row.size, why: NOT_SIGNED });
    }
    const reading = this.#waiting.for(() => readWitness(node));
    const witness = await Promise.race([reading, this.#halting.promise]);
    if (witness === 'stopped') return undefined;
    const from = row === undefined ? undefined : stateOf(row);
    const folded = await foldChain(database, {
      node,
      from,
      to: of.to,
      meets: [...of.meets, ...(witness === undefined ? [] : [witness])],
      isStopping: () => this.#isStopping,
    });
    if (folded === 'stopped') return undefined;
    if ('why' in folded) return this.#refuse(folded);
    const points = folded.milestones.map((state) => ({ node, ...state }));
    if (!(await this.#signAll(points))) return undefined;
    return points.at(-1) ?? from ?? 'nothing';
  }

  async #signAll(points: readonly ChainPoint[]): Promise<boolean> {
    for (let first = 0; first < points.length; first += CHECKPOINTS_PER_COMMIT_MAX) {
      if (!(await this.#sign(points.slice(first, first + CHECKPOINTS_PER_COMMIT_MAX)))) return false;
    }
    return true;
  }

  /** False when another process has signed as much or more: then none of them is written. */
  async #sign(points: readonly ChainPoint[]): Promise<boolean> {
    const { database, store, key, clock, onSigned } = this.#parts;
    const atMs = clock.nowMs();
    const steps = points.map(({ node, sequence, head }) => {
      const bytes = Buffer.from(head, 'base64url');
      const note = key.sign({ node, size: sequence, head: bytes });
      return store.insertStep({ node, size: sequence, atMs, head: bytes.toString('base64'), note });
    });
    const { committed } = await database.commit({ steps }, 'soon');
    if (!committed) return false;
    this.#signedAtMs = clock.monotonicMs();
    onSigned();
    return true;
  }

  /** From here on nothing is signed for the node by this process. */
  async #refuse(inconsistency: Inconsistency): Promise<undefined> {
    this.#inconsistent.set(inconsistency.node, inconsistency);
    this.#unrecorded.add(inconsistency);
    this.#parts.onInconsistent(inconsistency);
    await this.#recordFound();
  }

  async #recordFound(): Promise<void> {
    for (const inconsistency of this.#unrecorded) {
      const { node, size, why } = inconsistency;
      await this.#parts.audit.record({
        action: 'audit.inconsistent',
        actor: 'system',
        target: `node-${node}`,
        decision: 'denied',
        detail: { node, size, why },
      });
      this.#unrecorded.delete(inconsistency);
    }
  }
}
