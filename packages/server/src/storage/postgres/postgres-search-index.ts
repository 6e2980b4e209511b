/** `SearchIndex` on PostgreSQL: `tsvector` and GIN. The process that holds an advisory lock writes it for all nodes. */
import pg from 'pg';
import type { BlockQuery, IndexedBlock, LastBlock, SearchIndex } from '../search-index.ts';
import { connectionSettings } from './connect.ts';
import { SEARCH_INDEX_LOCK } from './locks.ts';

/** One holds the lock, one writes. */
const WRITERS_MAX = 2;
const READERS_MAX = 3;
const WRITE_TIMEOUT_MS = 10_000;
/** A look into the index takes milliseconds; one that takes so long is given up. */
const LOOK_TIMEOUT_MS = 2_000;
/** Blocks in which a common term is found without the index of terms. */
const BLOCKS_NEAREST = 1_000;

export class PostgresSearchIndex implements SearchIndex {
  readonly generation = 0;
  readonly #writers: pg.Pool;
  readonly #readers: pg.Pool;
  /** The session that holds the lock for as long as it lives. */
  #lock: pg.PoolClient | undefined;

  constructor(url: string) {
    const pool = (max: number, statementTimeoutMs: number) => {
      const made = new pg.Pool({ ...connectionSettings({ url, statementTimeoutMs }), max });
      made.on('error', () => undefined);
      return made;
    };
    this.#writers = pool(WRITERS_MAX, WRITE_TIMEOUT_MS);
    this.#readers = pool(READERS_MAX, LOOK_TIMEOUT_MS);
  }

  async lastBlock(node: number): Promise<LastBlock | undefined> {
    const { rows } = await this.#readers.query<{ block: bigint; head: Uint8Array }>(
      'select block, head from audit_blocks where node = $1 order by block desc limit 1',
      [node],
    );
    const last = rows[0];
    return last === undefined ? undefined : { block: Number(last.block), head: last.head };
  }

  async add(node: number, blocks: readonly IndexedBlock[]): Promise<void> {
    await this.#writers.query(INSERT_BLOCKS, [
      node,
      blocks.map(({ block }) => block),
      blocks.map(({ fromMs }) => fromMs),
      blocks.map(({ toMs }) => toMs),
      blocks.map(({ head }) => Buffer.from(head)),
      blocks.map(({ terms }) => terms.join(' ')),
    ]);
  }

  /**
   * Common terms are found among the blocks next to where the search is, in the order of the table; rare ones by the index of
   * terms, which knows no order: whatever it finds is sorted, and that is few.
   */
  async find(query: BlockQuery): Promise<number[]> {
    const { node, terms, before, fromMs = null, toMs = null, limit } = query;
    const common = [node, before, fromMs, toMs, limit];
    if (terms.length === 0) return this.#look(FIND_BY_PLACE, [...common, 0]);
    const wanted = renderQuery(terms);
    const nearest = Math.max(0, before - BLOCKS_NEAREST);
    const near = await this.#look(FIND_NEAR, [...common, nearest, wanted]);
    if (near.length >= limit || nearest === 0) return near;
    const far = await this.#look(FIND_BY_TERM, [node, nearest, fromMs, toMs, limit - near.length, wanted]);
    return [...near, ...far];
  }

  async forgetFrom(node: number, block: number): Promise<void> {
    await this.#writers.query('delete from audit_blocks where node = $1 and block >= $2', [node, block]);
  }

  async forgetBefore(node: number, block: number): Promise<void> {
    await this.#writers.query('delete from audit_blocks where node = $1 and block < $2', [node, block]);
  }

  async mayWrite(): Promise<boolean> {
    if (this.#lock !== undefined) return true;
    const client = await this.#writers.connect();
    client.on('error', () => this.#giveUp(client));
    try {
      const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [
        SEARCH_INDEX_LOCK,
      ]);
      if (rows[0]?.held === true) {
        this.#lock = client;
        return true;
      }
    } catch (error) {
      client.release(true);
      throw error;
    }
    client.release(true);
    return false;
  }

  async close(): Promise<void> {
    const client = this.#lock;
    // By name: whoever comes next need not wait until the server has noticed that the session is gone.
    await client?.query('select pg_advisory_unlock($1)', [SEARCH_INDEX_LOCK]).catch(() => undefined);
    if (client !== undefined) this.#giveUp(client);
    await Promise.all([this.#writers.end(), this.#readers.end()]);
  }

  #giveUp(client: pg.PoolClient): void {
    if (this.#lock !== client) return;
    this.#lock = undefined;
    client.release(true);
  }

  async #look(sql: string, values: readonly unknown[]): Promise<number[]> {
    const { rows } = await this.#readers.query<{ block: bigint }>(sql, [...values]);
    return rows.map(({ block }) => Number(block));
  }
}

/** A block that another process has indexed meanwhile is the same. */
const INSERT_BLOCKS = `
  insert into audit_blocks (node, block, from_ms, to_ms, head, terms)
  select $1, block, from_ms, to_ms, head, array_to_tsvector(string_to_array(terms, ' '))
  from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::text[])
    as given (block, from_ms, to_ms, head, terms)
  on conflict do nothing`;

const WITHIN = `node = $1 and block < $2 and ($3::bigint is null or to_ms >= $3)
  and ($4::bigint is null or from_ms < $4)`;
const LAST_FIRST = 'order by block desc limit $5';

const FIND_BY_PLACE = `select block from audit_blocks where ${WITHIN} and block >= $6 ${LAST_FIRST}`;
const FIND_NEAR = `select block from audit_blocks where ${WITHIN} and block >= $6 and terms @@ $7::tsquery ${LAST_FIRST}`;
const FIND_BY_TERM = `
  with found as materialized (
    select node, block, from_ms, to_ms from audit_blocks where node = $1 and terms @@ $6::tsquery
  )
  select block from found where ${WITHIN} ${LAST_FIRST}`;

/** `(a | b) & c`: the terms are letters and digits, so nothing in them means anything to a tsquery. */
function renderQuery(groups: readonly (readonly string[])[]): string {
  return groups.map((group) => `(${group.join(' | ')})`).join(' & ');
}
