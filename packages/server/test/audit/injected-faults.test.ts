import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import pg from 'pg';
import { provideStrace } from '../../../../test/services/strace.ts';
import { readEvent } from '../../src/audit/stored-event.ts';
import { EMPTY_CHAIN, headText, nextHead } from '../../src/storage/audit-chain.ts';
import { openReader } from '../../src/storage/open-reader.ts';
import { textAt } from '../control/support.ts';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { type Answer, sendJson } from '../keyfold.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { effort } from '../../../../test/effort.ts';

const CHANGES = effort(1_000, 10_000);
const AT_ONCE = 16;
/** One commit in twenty fails, as late as it can: when all is written and is to be made durable. */
const EVERY = 20;
/** The start may write what it needs. */
const COMMITS_OF_START = 40;
const RECOVERY_MS_MAX = 5_000;

/** What one change asked for, and what came of it. */
interface Asked {
  readonly kind: 'project' | 'key' | 'rotation';
  readonly answer: Answer;
}

describe('one commit in twenty fails', { timeout: 300_000 }, () => {
  for (const kind of DATABASE_KINDS) {
    test(`nothing is changed and no secret shown without its record, on ${kind.name}`, async (context) => {
      await using keyfold = await createKeyfoldProcess(kind);
      await keyfold.start();
      const rotated = await Promise.all(
        Array.from({ length: AT_ONCE }, () => send(keyfold, 'POST', '/v1/keys', { permissions: ['chat'] })),
      );
      await injectFaults(keyfold, kind);
      const asked = await askAll(
        keyfold,
        rotated.map((each) => textAt(each, 'id')),
      );
      await removeFaults(keyfold, kind);
      const failed = asked.filter(({ answer }) => answer.status === 503).length;
      const done = asked.filter(({ answer }) => answer.status < 300).length;
      assert.equal(failed + done, CHANGES, 'every change is made or refused');
      assert.ok(failed > CHANGES / 200 && done > CHANGES / 2, `${failed} failed, ${done} done`);
      await keyfold.signal('SIGTERM');
      await compare(keyfold, kind, asked);
      context.diagnostic(`${CHANGES} changes: ${done} made, ${failed} refused with 503`);
    });
  }
});

describe('a disk that was full', () => {
  test('and has space again: changes are made within five seconds, without a restart', async (context) => {
    await using keyfold = await createKeyfoldProcess(kindOf('sqlite'));
    await keyfold.start();
    const change = () => send(keyfold, 'POST', '/v1/projects', { name: `p${performance.now()}` });
    assert.equal((await change()).status, 201);
    limitFiles(keyfold, Math.max(...sizesOf(join(keyfold.dataDir, 'data'))));
    while ((await change()).status !== 503);
    assert.equal((await change()).status, 503);
    assert.equal((await send(keyfold, 'GET', '/v1/projects')).status, 200, 'reads go on');
    limitFiles(keyfold, 'unlimited');
    const backMs = performance.now();
    let tookMs = 0;
    while ((await change()).status !== 201) {
      tookMs = performance.now() - backMs;
      assert.ok(tookMs < RECOVERY_MS_MAX, 'it does not recover');
    }
    context.diagnostic(
      `the first change ${(performance.now() - backMs).toFixed(0)} ms after there was space`,
    );
    assert.ok(performance.now() - backMs < RECOVERY_MS_MAX);
  });
});

/** SQLite's syncs fail in the system, PostgreSQL's writes of audit records in a trigger. */
async function injectFaults(keyfold: KeyfoldProcess, kind: DatabaseKind): Promise<void> {
  if (kind.name === 'postgres') {
    await execute(keyfold, [
      'create sequence write_count',
      `create function fail_some() returns trigger language plpgsql as $$
        begin
          if nextval('write_count') % ${EVERY} = 0 then raise exception 'injected'; end if;
          return new;
        end $$`,
      'create trigger fail_some before insert on audit_records for each row execute function fail_some()',
    ]);
    return;
  }
  await keyfold.signal('SIGTERM');
  const how = [
    '-D',
    '-f',
    '-q',
    '--seccomp-bpf',
    '-o',
    '/dev/null',
    '-e',
    'signal=none',
    '-e',
    'trace=fsync,fdatasync',
  ];
  const log = join(keyfold.dataDir, 'data', 'keyfold.db-wal');
  const inject = `inject=fsync,fdatasync:error=EIO:when=${COMMITS_OF_START}+${EVERY}`;
  await keyfold.start({}, { tracer: [provideStrace(), ...how, '-P', log, '-e', inject] });
}

async function removeFaults(keyfold: KeyfoldProcess, kind: DatabaseKind): Promise<void> {
  if (kind.name === 'postgres') await execute(keyfold, ['drop trigger fail_some on audit_records']);
}

async function askAll(keyfold: KeyfoldProcess, rotated: readonly string[]): Promise<Asked[]> {
  const asked: Asked[] = [];
  let next = 0;
  // Who rotates does so with a key of its own: one that many change at once refuses most of them.
  const work = async (id: string) => {
    for (let number = next++; number < CHANGES; number = next++)
      asked.push(await askOne(keyfold, id, number));
  };
  await Promise.all(rotated.map(work));
  return asked;
}

async function askOne(keyfold: KeyfoldProcess, rotatedId: string, number: number): Promise<Asked> {
  const name = `n${number}`;
  switch (number % 3) {
    case 0:
      return { kind: 'project', answer: await send(keyfold, 'POST', '/v1/projects', { name }) };
    case 1:
      return {
        kind: 'key',
        answer: await send(keyfold, 'POST', '/v1/keys', { name, permissions: ['chat'] }),
      };
    default: {
      const answer = await send(keyfold, 'POST', `/v1/keys/${rotatedId}/rotate`, { grace_seconds: 0 });
      return { kind: 'rotation', answer };
    }
  }
}

/** Every row has its record and every record its row, what was answered is there, and the chain holds. */
async function compare(keyfold: KeyfoldProcess, kind: DatabaseKind, asked: readonly Asked[]): Promise<void> {
  const { records, rows } = await readStored(keyfold, kind);
  let head = EMPTY_CHAIN.head;
  for (const [index, row] of records.entries()) {
    head = nextHead(head, row.record);
    assert.equal(Number(row.sequence), index + 1, 'records are numbered without gaps');
    assert.equal(headText(row.head), head);
  }
  /** What was made, and by which request. */
  const made = new Map<string, string | undefined>();
  for (const { record } of records) {
    const { action, target, detail, requestId } = readEvent(record);
    if (action === 'project.created' || action === 'key.created') made.set(target, requestId);
    if (action === 'key.rotated') made.set(String(detail['rotation_id']), requestId);
  }
  for (const id of rows) assert.ok(made.has(id), `${id} has no record`);
  for (const id of made.keys()) assert.ok(rows.has(id), `${id} has a record and is not there`);
  let shown = 0;
  for (const { kind: what, answer } of asked) {
    if (answer.status >= 300) {
      assert.doesNotMatch(answer.text, /kf_/, 'a refusal shows no secret');
      continue;
    }
    const id = textAt(answer, what === 'rotation' ? 'rotation_id' : 'id');
    assert.equal(made.get(id), answer.headers.get('x-request-id'), 'it is recorded under its request');
    if (answer.text.includes('kf_')) shown++;
  }
  assert.ok(shown > CHANGES / 3, `${shown} secrets were shown`);
}

async function readStored(keyfold: KeyfoldProcess, kind: DatabaseKind) {
  const reader = await openReader(
    kind.name === 'sqlite'
      ? { dialect: 'sqlite', directory: join(keyfold.dataDir, 'data') }
      : { dialect: 'postgres', url: keyfold.databaseUrl ?? '' },
  );
  const records = await reader.read((db) =>
    db.selectFrom('audit_records').select(['record', 'head', 'sequence']).orderBy('node').orderBy('sequence'),
  );
  const firstId = records
    .map(({ record }) => readEvent(record))
    .find(({ action }) => action === 'installation.created');
  const made = await Promise.all([
    reader.read((db) => db.selectFrom('keys').select('id')),
    reader.read((db) => db.selectFrom('projects').select('id')),
    reader.read((db) =>
      db.selectFrom('key_versions').select('rotation_id as id').where('rotation_id', 'is not', null),
    ),
  ]);
  await reader.close();
  // What the first start made is in a record of its own.
  const first = new Set([firstId?.detail['admin_key'], firstId?.detail['project']]);
  const rows = new Set(made.flat().map(({ id }) => String(id)));
  for (const id of first) rows.delete(String(id));
  return { records, rows };
}

function send(keyfold: KeyfoldProcess, method: string, path: string, body?: object): Promise<Answer> {
  return sendJson(`${keyfold.url}${path}`, { method, body, options: { key: keyfold.adminKey } });
}

async function execute(keyfold: KeyfoldProcess, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: keyfold.databaseUrl });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

function limitFiles(keyfold: KeyfoldProcess, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(keyfold.pid), `--fsize=${bytes}:unlimited`]);
}

function sizesOf(folder: string): number[] {
  return readdirSync(folder).map((name) => statSync(join(folder, name)).size);
}

function kindOf(name: DatabaseKind['name']): DatabaseKind {
  return DATABASE_KINDS.find((kind) => kind.name === name) ?? assert.fail();
}
