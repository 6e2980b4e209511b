/** Follows the audit chains of all nodes, page by page, and gives every record once and in its order to who observes. */
import type { AuditObserver } from '../alerts/alert-watch.ts';
import type { FiringStore } from '../alerts/firing-store.ts';
import { type StoredEvent, readEvent } from '../audit/stored-event.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';

const PAGE_RECORDS = 500;
/** Records of a node that are read back at a start, to fill the windows again. */
const READ_BACK_MAX = 200_000;
/** How often it is asked whether there is a node that was not there before. */
const NODES_EVERY_MS = 2_000;

interface Row {
  readonly sequence: bigint;
  readonly record: string;
}

export class AuditFollower {
  readonly #database: Database;
  readonly #positions: FiringStore;
  readonly #observer: AuditObserver;
  readonly #clock: Clock;
  /** By node: the last record that was given, and that all was settled up to. */
  readonly #given = new Map<number, number>();
  readonly #settled = new Map<number, number>();
  readonly #onUnreadable: (error: Error) => void;
  #lookedAtMs = -Infinity;

  constructor(parts: {
    database: Database;
    firings: FiringStore;
    observer: AuditObserver;
    clock: Clock;
    onUnreadable: (error: Error) => void;
  }) {
    this.#database = parts.database;
    this.#positions = parts.firings;
    this.#observer = parts.observer;
    this.#clock = parts.clock;
    this.#onUnreadable = parts.onUnreadable;
  }

  /** Gives all that is new, and resolves when it is settled. Where that fails it is gone on with at the next turn. */
  async turn(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs >= NODES_EVERY_MS) {
      await this.#findNodes();
      this.#lookedAtMs = nowMs;
    }
    for (const node of this.#given.keys()) await this.#follow(node);
  }

  async #follow(node: number): Promise<void> {
    // Where there are no rules, nobody pays for them.
    if (await this.#observer.isIdle()) this.#given.set(node, await this.#lastOf(node));
    for (let given = this.#given.get(node) ?? 0; ;) {
      if (this.#settled.get(node) !== given) {
        await this.#observer.settle();
        await this.#positions.advance(node, given);
        this.#settled.set(node, given);
      }
      const page = await this.#readPage(node, given);
      if (page.length === 0) return;
      for (const row of page) {
        const event = this.#read(node, row);
        if (event !== undefined) await this.#observer.observe(event);
        given = Number(row.sequence);
        this.#given.set(node, given);
      }
    }
  }

  /** Where nobody has judged anything yet, it begins now; a node that came later is judged from its first record. */
  async #findNodes(): Promise<void> {
    const positions = await this.#positions.positions();
    const isFirst = positions.size === 0 && this.#lookedAtMs === -Infinity;
    for (const node of await this.#listNodes()) {
      if (this.#given.has(node)) continue;
      const judged = positions.get(node) ?? (isFirst ? await this.#lastOf(node) : 0);
      await this.#learn(node, judged);
      this.#given.set(node, judged);
    }
  }

  /** What was judged before fills the windows again. */
  async #learn(node: number, judged: number): Promise<void> {
    const historyMs = await this.#observer.historyMs();
    if (historyMs === 0) return;
    const sinceMs = BigInt(this.#clock.nowMs() - historyMs);
    const [first] = await this.#database.read(
      (db) =>
        db
          .selectFrom('audit_records')
          .select((eb) => eb.fn.min('sequence').as('sequence'))
          .where('node', '=', BigInt(node))
          .where('sequence', '>', BigInt(judged - READ_BACK_MAX))
          .where('at', '>=', sinceMs),
      'report',
    );
    if (typeof first?.sequence !== 'bigint') return;
    for (let learned = Number(first.sequence) - 1; learned < judged;) {
      for (const row of await this.#readPage(node, learned)) {
        const event = this.#read(node, row);
        learned = Number(row.sequence);
        if (event !== undefined && learned <= judged) await this.#observer.learn(event);
      }
    }
  }

  /** What nobody of us has written is told of and passed over: one such record must not blind the rules for good. */
  #read(node: number, { sequence, record }: Row): StoredEvent | undefined {
    try {
      return readEvent(record);
    } catch (error) {
      this.#onUnreadable(new Error(`record ${sequence} of node ${node} cannot be read`, { cause: error }));
      return undefined;
    }
  }

  async #listNodes(): Promise<ReadonlySet<number>> {
    const nodes = new Set([this.#database.node]);
    // An embedded database has one node, and no index of it.
    if (this.#database.dialect === 'sqlite') return nodes;
    for (let after = 0; ;) {
      const [next] = await this.#database.read(
        (db) =>
          db
            .selectFrom('audit_records')
            .select('node')
            .where('node', '>', BigInt(after))
            .orderBy('node')
            .limit(1),
        'report',
      );
      if (next === undefined) return nodes;
      after = Number(next.node);
      nodes.add(after);
    }
  }

  async #lastOf(node: number): Promise<number> {
    const [last] = await this.#database.read(
      (db) =>
        db
          .selectFrom('audit_records')
          .select('sequence')
          .where('node', '=', BigInt(node))
          .orderBy('sequence', 'desc')
          .limit(1),
      'report',
    );
    return Number(last?.sequence ?? 0n);
  }

  #readPage(node: number, after: number): Promise<Row[]> {
    return this.#database.read(
      (db) =>
        db
          .selectFrom('audit_records')
          .select(['sequence', 'record'])
          .where('node', '=', BigInt(node))
          .where('sequence', '>', BigInt(after))
          .orderBy('sequence')
          .limit(PAGE_RECORDS),
      'report',
    );
  }
}
