/** Torture: reads Keyfold's books out of its database, past Keyfold, all of them as of one moment. */
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { RESOLUTIONS } from '../../src/ledger/call-row.ts';
import { unpackId } from '../../src/ledger/packed-id.ts';
import { readIntegersAsBigint } from '../../src/storage/postgres/read-integers.ts';

/** Where a database is: the file of an SQLite, or the URL of a PostgreSQL. */
export type BooksPlace = { readonly file: string } | { readonly url: string };

export interface BookedCall {
  readonly id: string;
  readonly key_id: string;
  readonly resolution: 'settlement' | 'release' | 'expiry';
  readonly flags: string | null;
  readonly held_nanos: bigint;
  readonly cost_nanos: bigint;
  readonly reserved_at: bigint;
  readonly duration_ms: bigint;
}

export interface OpenReservation {
  readonly id: string;
  readonly boot: string;
  readonly held_nanos: bigint;
  readonly reserved_at: bigint;
  /** JSON; its second part lists the budget and the period of each hold. */
  readonly call: string;
}

export interface BookedBalance {
  readonly budget_id: string;
  readonly period_start: bigint;
  readonly posted_nanos: bigint;
  readonly held_nanos: bigint;
}

export interface BookedBudget {
  readonly id: string;
  readonly scope_id: string;
  readonly period: 'day' | 'month' | 'total';
  readonly cap_nanos: bigint;
}

export interface AuditRow {
  readonly node: bigint;
  readonly sequence: bigint;
  readonly record: string;
  readonly head: Uint8Array;
}

export interface Books {
  readonly calls: readonly BookedCall[];
  readonly reservations: readonly OpenReservation[];
  readonly balances: readonly BookedBalance[];
  readonly budgets: readonly BookedBudget[];
  readonly audit: readonly AuditRow[];
  /** Sources whose sums of usage are not those of their calls. */
  readonly drift: readonly { readonly source: bigint }[];
}

const CALLS = `key_id, resolution, flags, held_nanos, cost_nanos, reserved_at, duration_ms
  from calls join call_sources on no = source order by calls.id`;
const QUERIES: Readonly<Record<Exclude<keyof Books, 'calls'>, string>> = {
  reservations: 'select id, boot, held_nanos, reserved_at, call from reservations order by id',
  balances: 'select * from balances',
  budgets: 'select id, scope_id, period, cap_nanos from budgets',
  audit: 'select node, sequence, record, head from audit_records order by node, sequence',
  drift: `select source from (
    select source, cost_nanos as cost from usage_hours union all select source, -cost_nanos from calls
  ) t group by source having sum(cost) <> 0`,
};

/** Without the audit log, which is most of it, where it is left out. */
export async function readBooks(place: BooksPlace, { withAudit = true } = {}): Promise<Books> {
  const queries = Object.entries(QUERIES).filter(([name]) => withAudit || name !== 'audit');
  return 'file' in place
    ? readSqlite(place.file, [['calls', `select hex(calls.id) as packed, ${CALLS}`], ...queries])
    : readPostgres(place.url, [['calls', `select cast(calls.id as text) as packed, ${CALLS}`], ...queries]);
}

type Queries = readonly (readonly [string, string])[];

function readSqlite(file: string, queries: Queries): Books {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  try {
    db.exec('begin');
    const rowsOf = (sql: string) => {
      const statement = db.prepare(sql);
      statement.setReadBigInts(true);
      return statement.all();
    };
    return toBooks(queries.map(([name, sql]) => [name, rowsOf(sql)]));
  } finally {
    db.close();
  }
}

async function readPostgres(url: string, queries: Queries): Promise<Books> {
  const client = new pg.Client({ connectionString: url, types: readIntegersAsBigint });
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    const read: [string, unknown[]][] = [];
    for (const [name, sql] of queries) read.push([name, (await client.query<object>(sql)).rows]);
    return toBooks(read);
  } finally {
    await client.end();
  }
}

function toBooks(read: readonly (readonly [string, readonly unknown[]])[]): Books {
  const books = { audit: [], ...Object.fromEntries(read) } as unknown as Books & {
    calls: readonly StoredCall[];
  };
  return { ...books, calls: books.calls.map(readCall) };
}

/** As it lies in its table: an id as its bytes, a word as its place. */
type StoredCall = Omit<BookedCall, 'id' | 'resolution'> & {
  readonly packed: string;
  readonly resolution: bigint;
};

function readCall({ packed, resolution, ...call }: StoredCall): BookedCall {
  const word = RESOLUTIONS[Number(resolution)];
  if (word === undefined) throw new Error(`a call is resolved by ${resolution}, which is no word`);
  const digits = packed.toLowerCase().replaceAll('-', '');
  if (word === 'correction') throw new Error(`${packed} is a correction, and nobody has made one`);
  return { ...call, id: unpackId('reservation', digits), resolution: word };
}

/** What `pragma integrity_check` says of a file; `ok` and nothing else when it is whole. */
export function checkIntegrity(file: string): string {
  const db = new DatabaseSync(file);
  try {
    const rows = db.prepare('pragma integrity_check').all();
    return rows.map((row) => String(row['integrity_check'])).join('; ');
  } finally {
    db.close();
  }
}
