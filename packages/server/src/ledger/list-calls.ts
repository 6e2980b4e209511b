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
    const { order, reaches, far } = boundsOf(filter, page);
    return sql`${this.#isBeyond('c', filter, page)} and c.id ${reaches} coalesce((select n.id from calls n
      where ${this.#isWithin('n', filter, page)} order by n.id ${order} limit 1 offset ${sql.lit(NEAR - 1)}),
      ${this.#packed.write(far)})`;
  }

  /**
   * The page is among the first calls of those sources whose next call is nearest: as many sources as the page has rows, and
   * as many calls of each. Nothing but these indexes' entries is read.
   */
  #isInFront(filter: CallFilter, page: CallPage): RawBuilder<unknown> {
    const limit = sql.lit(page.limit + 1);
    const { order, reaches, far } = boundsOf(filter, page);
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
      select n.id from spans cross join calls n where n.source = spans.source and ${this.#isBeyond('n', filter, page)}
        and n.id ${reaches} coalesce(spans.last, ${this.#packed.write(far)}) order by n.id ${order} limit ${limit})`;
  }

  #isWithin(alias: 'c' | 'n', filter: CallFilter, page: CallPage): RawBuilder<unknown> {
    const { reaches, far } = boundsOf(filter, page);
    const isReached = sql`${sql.ref(`${alias}.id`)} ${reaches} ${this.#packed.write(far)}`;
    return sql`${this.#isBeyond(alias, filter, page)} and ${isReached}`;
  }

  /** Beyond the cursor, and in the time that is asked for, however far off. */
  #isBeyond(alias: 'c' | 'n', filter: CallFilter, page: CallPage): RawBuilder<unknown> {
    const [id, at] = [sql.ref(`${alias}.id`), sql.ref(`${alias}.reserved_at`)];
    const { passes, near } = boundsOf(filter, page);
    const conditions = [sql`${id} ${passes} ${this.#packed.write(near)}`];
    if (filter.fromMs !== undefined) conditions.push(sql`${at} >= ${BigInt(filter.fromMs)}`);
    if (filter.toMs !== undefined) conditions.push(sql`${at} < ${BigInt(filter.toMs)}`);
    if (page.before !== undefined && page.after !== undefined)
      conditions.push(sql`${id} <> ${this.#packed.write(page.after)}`);
    return sql.join(conditions, sql` and `);
  }
}

const [LOWEST, HIGHEST] = ['0'.repeat(32), 'f'.repeat(32)];

/**
 * Where a page begins, which it does not take in, and how far it may reach. One bound at either end: of two a database may
 * seek the one that is farther off, and read all that lies between.
 */
function boundsOf({ fromMs, toMs }: CallFilter, { after, before }: CallPage) {
  // Times are compared exactly; the ids of all calls of the time are well within these.
  const first = fromMs === undefined ? LOWEST : firstPackedAt(fromMs - MARGIN_MS);
  const end = toMs === undefined ? HIGHEST : firstPackedAt(toMs + 2 * MARGIN_MS);
  const upper = after === undefined || end < after ? end : after;
  if (before === undefined) {
    return { order: sql.raw('desc'), passes: sql.raw('<'), near: upper, reaches: sql.raw('>='), far: first };
  }
  const lower = before < first ? first : before;
  return { order: sql.raw('asc'), passes: sql.raw('>'), near: lower, reaches: sql.raw('<='), far: upper };
}
