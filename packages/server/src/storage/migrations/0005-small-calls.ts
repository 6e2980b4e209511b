/**
 * Calls and audit records that take less room, and sums of usage that outlive the calls: ids as their bytes, what calls have
 * in common stored once, the heads of the audit chain as bytes. What is there is carried over, in SQL alone.
 */
import { type Compilable, type Kysely, sql } from 'kysely';
import { TOKEN_COLUMNS } from '../money-schema.ts';
import type { Migration } from './migration-shape.ts';

type Dialect = 'sqlite' | 'postgres';

export const smallCalls: Migration = {
  name: '0005-small-calls',
  statements: (db, dialect) =>
    [
      'alter table calls rename to old_calls',
      'drop index calls_by_key',
      ...TABLES[dialect],
      // No digest: the next call of such a source makes it a row of its own, and reports add both up.
      `insert into call_sources (organization_id, project_id, key_id, endpoint, provider, model, credential_id, route)
        select distinct ${SOURCE} from old_calls`,
      carryCalls(dialect),
      'drop table old_calls',
      'create index calls_by_source on calls (source, id)',
      'create index calls_by_request on calls (request_id)',
      sumCalls('usage_hours', 'calls', 'reserved_at / 3600000'),
      sumCalls('usage_days', 'usage_hours', 'start / 24'),
      ...AUDIT[dialect],
    ].map((text) => statement(db, text)),
};

const SOURCE = 'organization_id, project_id, key_id, endpoint, provider, model, credential_id, route';
const SUMS = ['calls', ...TOKEN_COLUMNS, 'cost_nanos'];

/** Who called what; looked up by its digest, or by organization and key. */
const SOURCE_COLUMNS = `digest text unique, organization_id text not null, project_id text not null,
  key_id text not null, endpoint text not null, provider text not null, model text not null, credential_id text, route text,
  parent_id text`;

const TABLES: Readonly<Record<Dialect, readonly string[]>> = {
  // The columns that are usually zero or null take no room. Rows of calls lie in the order of their ids, which is of time.
  sqlite: [
    `create table call_sources (no integer primary key, ${SOURCE_COLUMNS})`,
    'create index call_sources_by_key on call_sources (organization_id, key_id)',
    `create table calls (id blob primary key, request_id blob not null, source integer not null,
      key_version integer not null, attempt integer not null, streamed integer not null, resolution integer not null,
      provenance integer not null, status integer not null, error text, flags text, held_nanos integer not null,
      cost_nanos integer not null, reserved_at integer not null, duration_ms integer not null,
      ${TOKEN_COLUMNS.map((column) => `${column} integer`).join(', ')}) without rowid`,
    ...['usage_hours', 'usage_days'].map(
      (table) => `create table ${table} (start integer not null, source integer not null,
        ${SUMS.map((column) => `${column} integer`).join(', ')}, primary key (start, source)) without rowid`,
    ),
  ],
  // Wide columns first, since each begins at a multiple of its width. What must never overflow has eight bytes.
  postgres: [
    `create table call_sources (no integer generated always as identity primary key, ${SOURCE_COLUMNS})`,
    'create index call_sources_by_key on call_sources (organization_id, key_id)',
    `create table calls (held_nanos bigint not null, cost_nanos bigint not null, reserved_at bigint not null,
      duration_ms bigint not null, ${TOKEN_COLUMNS.map((column) => `${column} bigint`).join(', ')},
      source integer not null, key_version integer not null, attempt smallint not null, status smallint not null,
      resolution smallint not null, provenance smallint not null, streamed smallint not null,
      id uuid primary key, request_id uuid not null, error text, flags text)`,
    ...['usage_hours', 'usage_days'].map(
      (table) => `create table ${table} (calls bigint not null, cost_nanos bigint not null,
        ${TOKEN_COLUMNS.map((column) => `${column} bigint`).join(', ')}, start integer not null, source integer not null,
        primary key (start, source)) with (fillfactor = 90)`,
    ),
  ],
};

function carryCalls(dialect: Dialect): string {
  const tokens = TOKEN_COLUMNS.join(', ');
  return `insert into calls (id, request_id, source, key_version, attempt, streamed, resolution, provenance, status, error,
      flags, held_nanos, cost_nanos, reserved_at, duration_ms, ${tokens})
    select ${packId('c.id', dialect)}, ${packId('c.request_id', dialect)}, s.no, c.key_version, c.attempt, c.streamed,
      case c.resolution when 'settlement' then 0 when 'release' then 1 when 'expiry' then 2 end,
      case c.certainty when 'exact' then 0 when 'counted' then 1 when 'estimated' then 2 end,
      c.status, c.error, c.flags, c.held_nanos, c.cost_nanos, c.reserved_at, c.resolved_at - c.reserved_at,
      ${TOKEN_COLUMNS.map((column) => `nullif(c.${column}, 0)`).join(', ')}
    from old_calls c join call_sources s on s.organization_id = c.organization_id and s.project_id = c.project_id
      and s.key_id = c.key_id and s.endpoint = c.endpoint and s.provider = c.provider and s.model = c.model
      and coalesce(s.credential_id, '') = coalesce(c.credential_id, '') and coalesce(s.route, '') = coalesce(c.route, '')
    order by c.id`;
}

/** A call that took several attempts counts once. */
function sumCalls(into: string, from: 'calls' | 'usage_hours', start: string): string {
  const calls = from === 'calls' ? 'sum(case when attempt = 1 then 1 else 0 end)' : 'sum(calls)';
  const sums = [calls, ...TOKEN_COLUMNS.map((column) => `nullif(sum(${column}), 0)`), 'sum(cost_nanos)'];
  return `insert into ${into} (start, source, ${SUMS.join(', ')})
    select ${start}, source, ${sums.join(', ')} from ${from} group by 1, 2 order by 1, 2`;
}

const BASE_32 = '0123456789abcdefghjkmnpqrstvwxyz';
const BASE_64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The 16 bytes that the text of an id says after its prefix: ten characters of time, then twice eight of chance. */
function packId(column: string, dialect: Dialect): string {
  const groups = [
    { from: 5, characters: 10, hexDigits: 12 },
    { from: 15, characters: 8, hexDigits: 10 },
    { from: 23, characters: 8, hexDigits: 10 },
  ].map((group) => ({ ...group, number: readDigits(column, { ...group, alphabet: BASE_32, dialect }) }));
  if (dialect === 'sqlite') {
    const format = groups.map(({ hexDigits }) => `%0${hexDigits}x`).join('');
    return `unhex(printf('${format}', ${groups.map(({ number }) => number).join(', ')}))`;
  }
  return `(${groups.map(({ number, hexDigits }) => `lpad(to_hex(${number}), ${hexDigits}, '0')`).join(' || ')})::uuid`;
}

/** The number that some characters of a text say in an alphabet of 32 or 64. */
function readDigits(
  column: string,
  of: {
    readonly from: number;
    readonly characters: number;
    readonly alphabet: string;
    readonly dialect: Dialect;
  },
): string {
  const position = of.dialect === 'sqlite' ? 'instr' : 'strpos';
  const digits = Array.from({ length: of.characters }, (_, index) => {
    const weight = of.alphabet.length ** (of.characters - 1 - index);
    return `(${position}('${of.alphabet}', substr(${column}, ${of.from + index}, 1)) - 1) * ${weight}${of.dialect === 'postgres' ? '::bigint' : ''}`;
  });
  return `(${digits.join(' + ')})`;
}

/** 43 characters of base64url are 32 bytes: ten times four characters, and three of which the last two bits say nothing. */
function packHead(): string {
  const read = (from: number, characters: number) =>
    readDigits('head', { from, characters, alphabet: BASE_64, dialect: 'sqlite' });
  const groups = Array.from({ length: 10 }, (_, index) => read(1 + 4 * index, 4));
  return `unhex(printf('${'%06x'.repeat(groups.length)}%04x', ${groups.join(', ')}, ${read(41, 3)} >> 2))`;
}

const AUDIT: Readonly<Record<Dialect, readonly string[]>> = {
  // One node writes an embedded database, so its sequence is the key, and the table needs no index beside itself.
  sqlite: [
    'alter table audit_records rename to old_audit_records',
    `create table audit_records (sequence integer primary key, node integer not null, at integer not null,
      record text not null, head blob not null)`,
    `insert into audit_records (sequence, node, at, record, head)
      select sequence, node, at, record, ${packHead()} from old_audit_records order by sequence`,
    'drop table old_audit_records',
  ],
  postgres: [
    'alter table audit_records rename to old_audit_records',
    'alter table old_audit_records drop constraint audit_records_key',
    `create table audit_records (sequence bigint not null, at bigint not null, node integer not null,
      record text not null, head bytea not null, constraint audit_records_key primary key (node, sequence))`,
    `insert into audit_records (node, sequence, at, record, head)
      select node, sequence, at, record, decode(translate(head, '-_', '+/') || '=', 'base64')
      from old_audit_records order by node, sequence`,
    'drop table old_audit_records',
  ],
};

function statement(db: Kysely<unknown>, text: string): Compilable {
  return { compile: () => sql.raw(text).compile(db) };
}
