/** `SearchIndex` on PostgreSQL: `tsvector` and GIN. The process that holds an advisory lock writes it for all nodes. */
import pg from 'pg';
import type { BlockQuery, IndexedBlock, LastBlock, SearchIndex } from '../search-index.ts';
import { connectionSettings } from './connect.ts';
import { SEARCH_INDEX_LOCK } from './locks.ts';

const CONNECTIONS_MAX = 2;
const STATEMENT_TIMEOUT_MS = 10_000;

export class PostgresSearchIndex implements SearchIndex {
  readonly #pool: pg.Pool;
  /** The session that holds the lock for as long as it lives. */
  #lock: pg.PoolClient | undefined;

  constructor(url: string) {
    const settings = connectionSettings({ url, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
    this.#pool = new pg.Pool({ ...settings, max: CONNECTIONS_MAX });
    this.#pool.on('error', () => undefined);
  }

  async lastBlock(node: number): Promise<LastBlock | undefined> {
    const { rows } = await this.#pool.query<{ block: bigint; head: Uint8Array }>(
      'select block, head from audit_blocks where node = $1 order by block desc limit 1',
      [node],
    );
    const last = rows[0];
    return last === undefined ? undefined : { block: Number(last.block), head: last.head };
  }

  async add(node: number, blocks: readonly IndexedBlock[]): Promise<void> {
    await this.#pool.query(INSERT_BLOCKS, [
      node,
      blocks.map(({ block }) => block),
      blocks.map(({ fromMs }) => fromMs),
      blocks.map(({ toMs }) => toMs),
      blocks.map(({ head }) => Buffer.from(head)),
      blocks.map(({ terms }) => terms.join(' ')),
    ]);
  }

  async find({ node, terms, before, fromMs, toMs, limit }: BlockQuery): Promise<number[]> {
    const values: unknown[] = [];
    const value = (of: unknown) => `$${values.push(of)}`;
    const conditions = [`node = ${value(node)}`, `block < ${value(before)}`];
    if (fromMs !== undefined) conditions.push(`to_ms >= ${value(fromMs)}`);
    if (toMs !== undefined) conditions.push(`from_ms < ${value(toMs)}`);
    if (terms.length > 0) conditions.push(`terms @@ ${value(renderQuery(terms))}::tsquery`);
    const { rows } = await this.#pool.query<{ block: bigint }>(
      `select block from audit_blocks where ${conditions.join(' and ')} order by block desc limit ${value(limit)}`,
      values,
    );
    return rows.map(({ block }) => Number(block));
  }

  async forgetFrom(node: number, block: number): Promise<void> {
    await this.#pool.query('delete from audit_blocks where node = $1 and block >= $2', [node, block]);
  }

  async forgetBefore(node: number, block: number): Promise<void> {
    await this.#pool.query('delete from audit_blocks where node = $1 and block < $2', [node, block]);
  }

  async mayWrite(): Promise<boolean> {
    if (this.#lock !== undefined) return true;
    const client = await this.#pool.connect();
    const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [
      SEARCH_INDEX_LOCK,
    ]);
    if (rows[0]?.held !== true) {
      client.release();
      return false;
    }
    this.#lock = client;
    client.once('error', () => this.#giveUp());
    client.once('end', () => this.#giveUp());
    return true;
  }

  async close(): Promise<void> {
    // By name: whoever comes next need not wait until the server has noticed that the session is gone.
    await this.#lock?.query('select pg_advisory_unlock($1)', [SEARCH_INDEX_LOCK]).catch(() => undefined);
    this.#giveUp();
    await this.#pool.end();
  }

  #giveUp(): void {
    const client = this.#lock;
    this.#lock = undefined;
    client?.release(true);
  }
}

/** A block that another process has indexed meanwhile is the same. */
const INSERT_BLOCKS = `
  insert into audit_blocks (node, block, from_ms, to_ms, head, terms)
  select $1, block, from_ms, to_ms, head, array_to_tsvector(string_to_array(terms, ' '))
  from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::text[])
    as given (block, from_ms, to_ms, head, terms)
  on conflict do nothing`;

/** `(a | b) & c`: the terms are letters and digits, so nothing in them means anything to a tsquery. */
function renderQuery(groups: readonly (readonly string[])[]): string {
  return groups.map((group) => `(${group.join(' | ')})`).join(' & ');
}
