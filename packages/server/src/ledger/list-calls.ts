/**
 * One page of calls, found in a few milliseconds among millions, whatever is asked for. What is common stands among the
 * calls nearest to the cursor. What is rare is found by its sources: each has its calls in the order of their ids, so the
 * page is the front of a few sorted lists, however many calls of others lie between.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../storage/database.ts';
import { type CallFilter, isSource } from './call-filter.ts';
import { type CallRow, readCall, selectCalls } from './call-row.ts';
import { type PackedSql, firstPackedAt, packedSql } from './packed-id.ts';

/** A page's place. Cursors are packed ids. With `before` rows come oldest first, nearest to the cursor. */
export interface CallPage {
  readonly limit: number;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

/** Calls that are looked through before sources are. */
const NEAR = 2_000;
/** An id's time may be a moment beside the one that its row says. */
const MARGIN_MS = 1_000;

export class CallLister {
  readonly #database: Database;
  readonly #packed: PackedSql;

  constructor(database: Database) {
    this.#database = database;
    this.#packed = packedSql(database.dialect);
  }

  /** One beyond the limit when there are more. `requestId` of the filter is packed. */
  async list(filter: CallFilter, page: CallPage): Promise<CallRow[]> {
    const limit = page.limit + 1;
    if (filter.requestId !== undefined) return this.#listOfRequest(filter, page);
    if (filter.keyId === undefined) {
      const near = await this.#read(filter, page, this.#isNear(filter, page));
      if (near.length === limit || !(await this.#hasFar(filter, page))) return near;
    }
    return this.#read(filter, page, this.#isInFront(filter, page));
  }

  /** A request has few calls: its attempts. */
  #listOfRequest(filter: CallFilter, page: CallPage): Promise<CallRow[]> {
    const request = this.#packed.write(filter.requestId ?? '');
    return this.#read(filter, page, sql`c.request_id = ${request} and ${this.#isWithin('c', filter, page)}`);
  }

  async #read(filter: CallFilter, page: CallPage, condition: RawBuilder<unknown>): Promise<CallRow[]> {
    const { dialect } = this.#database;
    const rows = await this.#database.read(
      (db) =>
        selectCalls(db, dialect)
          .where(isSource(filter))
          .where(sql<boolean>`${condition}`)
          .orderBy('c.id', page.before === undefined ? 'desc' : 'asc')
          .limit(page.limit + 1),
      'report',
    );
    return rows.map(readCall);
  }

  /** Whether there are calls beyond those that were looked through. */
  async #hasFar(filter: CallFilter, page: CallPage): Promise<boolean> {
    const rows = await this.#database.read(
      (db) =>
        db
          .selectFrom('calls as n')
          .select('n.source')
          .where(sql<boolean>`${this.#isWithin('n', filter, page)}`)
          .orderBy('n.id', page.before === undefined ? 'desc' : 'asc')
          .offset(NEAR)
          .limit(1),
      'report',
    );
    return rows.length > 0;
  }

  /** Among the `NEAR` calls next to the cursor, of whatever source. */
  #isNear(filter: CallFilter, page: CallPage): RawBuilder<unknown> {
    const within = this.#isWithin('c', filter, page);
    const { order, reaches, end } = directionOf(page);
    return sql`${within} and c.id ${reaches} coalesce((select n.id from calls n where ${this.#isWithin('n', filter, page)}
      order by n.id ${order} limit 1 offset ${sql.lit(NEAR - 1)}), ${this.#packed.write(end)})`;
  }

  /**
   * The page is among the first calls of those sources whose next call is nearest: as many sources as the page has rows, and
   * as many calls of each. Nothing but these indexes' entries is read.
   */
  #isInFront(filter: CallFilter, page: CallPage): RawBuilder<unknown> {
    const limit = sql.lit(page.limit + 1);
    const { order, reaches, end } = directionOf(page);
    const isWithin = this.#isWithin('n', filter, page);
    return sql`c.id in (
      with heads as materialized (
        select s.no as source, (select n.id from calls n where n.source = s.no and ${isWithin} order by n.id ${order} limit 1) as head
        from call_sources s where ${isSource(filter)}),
      front as materialized (
        select source from heads where head is not null order by head ${order} limit ${limit}),
      spans as materialized (
        select source, (select n.id from calls n where n.source = front.source and ${isWithin}
          order by n.id ${order} limit 1 offset ${sql.lit(page.limit)}) as last from front)
      select n.id from spans cross join calls n where n.source = spans.source and ${isWithin}
        and n.id ${reaches} coalesce(spans.last, ${this.#packed.write(end)}) order by n.id ${order} limit ${limit})`;
  }

  /** Beyond the cursor, and in the time that is asked for. */
  #isWithin(
    alias: 'c' | 'n',
    { fromMs, toMs }: CallFilter,
    { after, before }: CallPage,
  ): RawBuilder<unknown> {
    const [id, at] = [sql.ref(`${alias}.id`), sql.ref(`${alias}.reserved_at`)];
    const conditions = [sql`true`];
    if (after !== undefined) conditions.push(sql`${id} < ${this.#packed.write(after)}`);
    if (before !== undefined) conditions.push(sql`${id} > ${this.#packed.write(before)}`);
    if (fromMs !== undefined) {
      const first = this.#packed.write(firstPackedAt(fromMs));
      conditions.push(sql`${id} >= ${first} and ${at} >= ${BigInt(fromMs)}`);
    }
    if (toMs !== undefined) {
      const end = this.#packed.write(firstPackedAt(toMs + 2 * MARGIN_MS));
      conditions.push(sql`${id} < ${end} and ${at} < ${BigInt(toMs)}`);
    }
    return sql.join(conditions, sql` and `);
  }
}

function directionOf({ before }: CallPage) {
  return before === undefined
    ? { order: sql.raw('desc'), reaches: sql.raw('>='), end: '0'.repeat(32) }
    : { order: sql.raw('asc'), reaches: sql.raw('<='), end: 'f'.repeat(32) };
}
