/** Test support: fills a log with as many records as wanted, chained as the writers chain them, in the way of a busy gateway. */
import { type Id, nanos } from '@keyfold/protocol';
import pg from 'pg';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { renderEvent } from '../../src/audit/render-event.ts';
import { type AuditEvent } from '../../src/audit/audit-event.ts';
import { createNewId } from '../../src/kernel/new-id.ts';
import { EMPTY_CHAIN, type ChainState, chainRecord, headBytes } from '../../src/storage/audit-chain.ts';
import { createRandom } from '../seeded-random.ts';
import { ManualClock } from '../manual-clock.ts';

export const ORGANIZATION = 'org_0000000000000000';
const KEYS = 200;
const MODELS = ['gpt-4.1', 'gpt-4.1-mini', 'claude-sonnet-4', 'gemini-2.5-pro', 'deepseek-chat'];
const NETWORKS = 40;
/** Of a hundred thousand calls. */
const REFUSED = 500;
const CHANGED = 50;
const ROWS_PER_WRITE = 5_000;

export interface FilledRecord {
  readonly sequence: number;
  readonly atMs: number;
  readonly record: string;
  readonly head: Buffer;
}

/** Calls, each opened and settled, now and then a refusal or a change of a key: 100 calls a second. */
export function* fillRecords(count: number, from: ChainState = EMPTY_CHAIN): Generator<FilledRecord> {
  const random = createRandom(10);
  const clock = new ManualClock(Date.UTC(2026, 9, 1));
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  const newId = createNewId(clock, { bytes });
  const pick = (many: number) => Math.floor(random() * many);
  let chain = from;
  const chained = (event: AuditEvent): FilledRecord => {
    const atMs = clock.nowMs();
    const { record, state } = chainRecord(chain, { node: 1, body: renderEvent(event, atMs) });
    chain = state;
    return { sequence: state.sequence, atMs, record, head: headBytes(state.head) };
  };
  const last = from.sequence + count;
  while (chain.sequence < last) {
    clock.advance(10);
    const who = {
      actor: keyId(pick(KEYS)),
      requestId: newId('request'),
      organizationId: ORGANIZATION,
      address: `203.0.${pick(NETWORKS)}.7`,
    };
    const dice = pick(100_000);
    if (dice < CHANGED) {
      yield chained({
        ...who,
        action: 'key.updated',
        target: keyId(pick(KEYS)),
        decision: 'allowed',
        detail: { fields: ['name'], after: { name: `team ${pick(50)}` } },
      });
      continue;
    }
    if (dice < REFUSED) {
      yield chained({
        ...who,
        action: 'call.refused',
        target: 'call',
        decision: 'denied',
        detail: { code: 'budget_exhausted' },
      });
      continue;
    }
    const { address, ...rest } = who;
    const call = { ...rest, target: newId('reservation'), decision: 'allowed' as const };
    const model = { provider: 'openai', model: MODELS[pick(MODELS.length)] ?? '' };
    yield chained({ ...call, address, action: 'call.opened', detail: { ...model, held_usd: '0.0123' } });
    if (chain.sequence >= last) return;
    const detail = {
      ...model,
      status: 200,
      input_tokens: pick(5_000),
      output_tokens: pick(900),
      duration_ms: pick(4_000),
      attempt: 1,
    };
    yield chained({ ...call, action: 'call.settled', cost: nanos(BigInt(1 + pick(9_000_000))), detail });
  }
}

export function keyId(number: number): Id<'key'> {
  return `key_${String(number).padStart(26, '0')}` as Id<'key'>;
}

/** Into a database that is there and not in use. */
export function fillSqlite(directory: string, records: Iterable<FilledRecord>): void {
  const db = new DatabaseSync(join(directory, 'keyfold.db'));
  db.exec('pragma journal_mode = wal; pragma synchronous = off; pragma wal_autocheckpoint = 20000');
  const insert = db.prepare(
    'insert into audit_records (node, sequence, at, record, head) values (1, ?, ?, ?, ?)',
  );
  db.exec('begin');
  let rows = 0;
  for (const { sequence, atMs, record, head } of records) {
    insert.run(sequence, atMs, record, head);
    if (++rows % (20 * ROWS_PER_WRITE) === 0) db.exec('commit; begin');
  }
  db.exec('commit');
  db.close();
}

export async function fillPostgres(url: string, records: Iterable<FilledRecord>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('set synchronous_commit = off');
  let page: FilledRecord[] = [];
  const write = async () => {
    await client.query(
      `insert into audit_records (node, sequence, at, record, head)
       select 1, * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[])`,
      [
        page.map(({ sequence }) => sequence),
        page.map(({ atMs }) => atMs),
        page.map(({ record }) => record),
        page.map(({ head }) => head),
      ],
    );
    page = [];
  };
  for (const record of records) if (page.push(record) === ROWS_PER_WRITE) await write();
  if (page.length > 0) await write();
  await client.query('analyze audit_records');
  await client.end();
}
