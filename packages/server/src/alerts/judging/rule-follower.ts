/** Follows the audit chains of all nodes for the rules, page by page: every record is given once and in its order. */
import { setImmediate as letOthers } from 'node:timers/promises';
import { readBriefly } from '../../audit/brief-event.ts';
import type { ChainEdge, RecordSource, StoredRecord } from '../../audit/reading/record-source.ts';
import type { StoredEvent } from '../../audit/stored-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { DatabaseReader } from '../../storage/reader.ts';
import { readPositions } from '../firing-store.ts';
import type { AuditObserver } from './alert-watch.ts';

const PAGE_RECORDS = 500;
/** Records of a node that are read back at a start, to fill the windows again. */
const READ_BACK_MAX = 200_000;
/** How often it is written down how far was judged. What comes after it is judged again after a crash, and fires no more. */
const ADVANCE_EVERY_MS = 1_000;
/** The same, while there is nothing to look for. */
const ADVANCE_IDLE_EVERY_MS = 10_000;

export interface RuleFollowerParts {
  readonly reader: Pick<DatabaseReader, 'read'>;
  readonly source: Pick<RecordSource, 'readAfter'>;
  readonly observer: AuditObserver;
  readonly clock: Clock;
  readonly advance: (positions: ReadonlyMap<number, number>) => Promise<void>;
  readonly onUnreadable: (error: Error) => void;
}

export class RuleFollower {
  readonly #parts: RuleFollowerParts;
  /** By node: the last record that was given. */
  readonly #given = new Map<number, number>();
  readonly #advanced = new Map<number, number>();
  #edges: readonly ChainEdge[] = [];
  /** The edges of the turn before. */
  #edgesBefore: readonly ChainEdge[] = [];
  #hasBegun = false;
  #advancedAtMs = -Infinity;

  constructor(parts: RuleFollowerParts) {
    this.#parts = parts;
  }

  /** So far do the chains reach now: whoever follows them for other reasons has looked. */
  see(edges: readonly ChainEdge[]): void {
    this.#edges = edges;
  }

  /**
   * Gives some of what is new, and resolves when it is settled, to whether there is more. Where that fails it is gone on with
   * at the next turn.
   */
  async turn(): Promise<boolean> {
    const { observer } = this.#parts;
    const edges = this.#edges;
    await observer.refresh();
    await this.#settle();
    if (observer.isIdle) this.#pass(this.#edgesBefore);
    else await this.#followAll(edges);
    this.#edgesBefore = edges;
    return !observer.isIdle && edges.some(({ node, last }) => (this.#given.get(node) ?? 0) < last);
  }

  /** Writes down how far was judged: nothing of it is judged again at the next start. */
  async finish(): Promise<void> {
    await this.#settle({ isLast: true });
  }

  /**
   * Where there are no rules, nobody pays for them. What has come since the turn before is not passed over yet: a rule that was
   * made before it may not be known here.
   */
  #pass(edges: readonly ChainEdge[]): void {
    for (const { node, last } of edges) this.#given.set(node, Math.max(last, this.#given.get(node) ?? 0));
  }

  async #followAll(edges: readonly ChainEdge[]): Promise<void> {
    for (const edge of edges) if (!this.#given.has(edge.node)) await this.#begin(edge);
    this.#hasBegun ||= edges.length > 0;
    for (const { node, last } of edges) {
      if ((this.#given.get(node) ?? 0) >= last) continue;
      if (this.#parts.observer.isFull) break;
      await this.#givePage(node, last);
    }
    await this.#settle();
  }

  async #givePage(node: number, last: number): Promise<void> {
    const { source, observer } = this.#parts;
    const page = await source.readAfter(node, this.#given.get(node) ?? 0, PAGE_RECORDS);
    // What was there a moment ago is gone: there is nothing to wait for.
    if (page.length === 0) this.#given.set(node, last);
    for (const row of page) {
      const event = observer.wants(row.record) ? this.#read(node, row) : undefined;
      const observed = event === undefined ? undefined : observer.observe(event);
      // Most records are judged at once, and a promise for each would cost more than that.
      if (observed !== undefined) await observed;
      this.#given.set(node, row.sequence);
    }
  }

  /** A position is only ever written once everything up to it is settled. */
  async #settle({ isLast = false } = {}): Promise<void> {
    const { observer, clock, advance } = this.#parts;
    const judged = new Map(this.#given);
    const hasFound = await observer.settle();
    for (const [node, sequence] of judged) if (this.#advanced.get(node) === sequence) judged.delete(node);
    if (judged.size === 0) return;
    const everyMs = observer.isIdle ? ADVANCE_IDLE_EVERY_MS : ADVANCE_EVERY_MS;
    const nowMs = clock.monotonicMs();
    if (!hasFound && !isLast && nowMs - this.#advancedAtMs < everyMs) return;
    await advance(judged);
    for (const [node, sequence] of judged) this.#advanced.set(node, sequence);
    this.#advancedAtMs = nowMs;
  }

  /** Where nobody has judged anything yet, it begins with the oldest rule; a node that came later is judged from its first record. */
  async #begin({ node, first, last }: ChainEdge): Promise<void> {
    const positions = await readPositions(this.#parts.reader);
    const judged = positions.get(node);
    if (judged !== undefined) await this.#learn(node, judged);
    const begin =
      positions.size === 0 && !this.#hasBegun ? await this.#lastBefore({ node, first, last }) : first - 1;
    this.#given.set(node, judged ?? begin);
  }

  /** What was judged before fills the windows again. */
  async #learn(node: number, judged: number): Promise<void> {
    const { observer, clock, reader, source } = this.#parts;
    if (observer.historyMs === 0) return;
    const sinceMs = BigInt(clock.nowMs() - observer.historyMs);
    const [first] = await reader.read((db) =>
      db
        .selectFrom('audit_records')
        .select((eb) => eb.fn.min('sequence').as('sequence'))
        .where('node', '=', BigInt(node))
        .where('sequence', '>', BigInt(judged - READ_BACK_MAX))
        .where('sequence', '<=', BigInt(judged))
        .where('at', '>=', sinceMs),
    );
    if (typeof first?.sequence !== 'bigint') return;
    for (let learned = Number(first.sequence) - 1; learned < judged;) {
      const page = await source.readAfter(node, learned, PAGE_RECORDS);
      if (page.length === 0) return;
      for (const row of page) {
        learned = row.sequence;
        if (learned > judged) return;
        const event = observer.wants(row.record) ? this.#read(node, row) : undefined;
        const observed = event === undefined ? undefined : observer.learn(event);
        if (observed !== undefined) await observed;
      }
      // It may be long, and others are served by this thread.
      await letOthers();
    }
  }

  /** The last record from before there was any rule. */
  async #lastBefore({ node, first, last }: ChainEdge): Promise<number> {
    const after = Math.max(first - 1, last - READ_BACK_MAX);
    const [before] = await this.#parts.reader.read((db) =>
      db
        .selectFrom('audit_records')
        .select((eb) => eb.fn.max('sequence').as('sequence'))
        .where('node', '=', BigInt(node))
        .where('sequence', '>', BigInt(after))
        .where('at', '<', BigInt(this.#parts.observer.sinceMs)),
    );
    return typeof before?.sequence === 'bigint' ? Number(before.sequence) : after;
  }

  /** What nobody of us has written is told of and passed over: one such record must not blind the rules for good. */
  #read(node: number, { sequence, record }: StoredRecord): StoredEvent | undefined {
    try {
      return readBriefly(record);
    } catch (error) {
      this.#parts.onUnreadable(
        new Error(`record ${sequence} of node ${node} cannot be read`, { cause: error }),
      );
      return undefined;
    }
  }
}
