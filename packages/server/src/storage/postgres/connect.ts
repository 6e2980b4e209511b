/** Connects a writing session: bounded waits, durable commits, the schema in place, and its locks taken. */
import pg from 'pg';
import { type ChainState, EMPTY_CHAIN, headText } from '../audit-chain.ts';
import { renderMigrations } from '../migrations/migration.ts';
import { FACTS_TABLE, SCHEMA_VERSION_QUERY, pendingStatements } from '../migrations/pending.ts';
import { claimNode, lockBoot, withMigrationLock } from './locks.ts';
import { readIntegersAsBigint } from './read-integers.ts';

export interface SessionOptions {
  readonly url: string;
  /** 12 hexadecimal digits, unique to this opening of the database. */
  readonly boot: string;
  /** The longest wait for a statement, and of the server for the next one within a transaction. */
  readonly statementTimeoutMs: number;
}

export interface Connected {
  readonly client: pg.Client;
  /** Ends the connection at once, whatever it waits for. */
  readonly destroy: () => void;
  readonly node: number;
  readonly chain: ChainState;
}

/** Seconds without an answer after which the server drops a dead host's session, and with it its locks. */
const KEEPALIVE =
  'set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3';

const SILENCE_MS = 1_000;
const MIGRATION_MS_MAX = 24 * 3_600_000;

/** What both the writing session and the reading ones are connected with. */
export function connectionSettings({
  url,
  statementTimeoutMs,
}: Pick<SessionOptions, 'url' | 'statementTimeoutMs'>) {
  return {
    connectionString: url,
    application_name: 'keyfold',
    types: readIntegersAsBigint,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 5_000,
    statement_timeout: statementTimeoutMs,
    // A server that answers says itself that time is up; only one that is silent is given up.
    query_timeout: statementTimeoutMs + SILENCE_MS,
  };
}

/** Throws when the database cannot be used. `preferredNode` is taken when it is free. */
export async function connectSession(options: SessionOptions, preferredNode?: number): Promise<Connected> {
  const client = new pg.Client({
    ...connectionSettings(options),
    idle_in_transaction_session_timeout: options.statementTimeoutMs,
    pipeline: true,
  });
  const destroy = () => void client.connection.stream.destroy();
  // A broken connection rejects the running queries; without a listener it would also end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(KEEPALIVE);
    await makeDurable(client);
    await withMigrationLock(client, () => migrate(client));
    await lockBoot(client, options.boot);
    const node = await claimNode(client, preferredNode);
    return { client, destroy, node, chain: await readChain(client, node) };
  } catch (error) {
    destroy();
    throw error;
  }
}

/** Every setting but `off` waits for the disk; which of those, the operator says. */
async function makeDurable(client: pg.Client): Promise<void> {
  await client.query(
    "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
  );
  const { rows } = await client.query<{ value: string }>(
    "select current_setting('synchronous_commit') as value",
  );
  if (rows[0]?.value !== 'off') return;
  throw new Error(
    'PostgreSQL answers commits before they are on disk: synchronous_commit is off, and setting it to on has no effect',
  );
}

async function migrate(client: pg.Client): Promise<void> {
  await client.query(FACTS_TABLE);
  const { rows } = await client.query<{ value: string }>(SCHEMA_VERSION_QUERY);
  const pending = pendingStatements(renderMigrations('postgres'), Number(rows[0]?.value ?? 0));
  if (pending.length === 0) return;
  await client.query('begin');
  try {
    // It may carry many rows over, and nobody is served before it is done.
    await client.query('set local statement_timeout = 0');
    for (const text of pending) await client.query(withTimeout(text, MIGRATION_MS_MAX));
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** The driver gives up by itself, too; that it takes a time for one query its types do not say. */
function withTimeout(text: string, ms: number): pg.QueryConfig & { readonly query_timeout: number } {
  return { text, query_timeout: ms };
}

async function readChain(client: pg.Client, node: number): Promise<ChainState> {
  const { rows } = await client.query<{ sequence: bigint; head: Buffer }>(
    'select sequence, head from audit_records where node = $1 order by sequence desc limit 1',
    [node],
  );
  const last = rows[0];
  return last === undefined ? EMPTY_CHAIN : { sequence: Number(last.sequence), head: headText(last.head) };
}
