import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, describe, test } from 'node:test';
import { run as runIn } from '../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../test/stand-in-api.ts';
import { checkClock } from '../doctor/check-server.ts';

const cwd = mkdtempSync(join(tmpdir(), 'keyfold-doctor-'));
const dataDir = join(cwd, '.keyfold');
let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(async () => {
  await api.close();
  rmSync(cwd, { recursive: true });
});

beforeEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(join(dataDir, 'data'), { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDir, 'root.key'), `${'ab'.repeat(32)}\n`, { mode: 0o600 });
  for (const name of ['keyfold.db', 'keyfold.lock']) {
    const database = new DatabaseSync(join(dataDir, 'data', name));
    database.exec('create table facts (name text)');
    database.close();
  }
});

const run = (...flags: readonly string[]) =>
  runIn(['doctor', ...flags], { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' }, cwd });

const READY = { body: { status: 'ready' } };
const PRICES = { body: { object: 'list', data: [{ model: 'gpt-4.1' }], has_more: true, last_id: 'x' } };

describe('keyfold doctor', () => {
  test('everything in order is a line each and exit code 0', async () => {
    api.reply(READY, PRICES);
    const { code, stdout, stderr } = await run();
    assert.deepEqual([code, stderr], [0, '']);
    const marks = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, 1));
    assert.deepEqual(
      marks,
      Array.from({ length: 7 }, () => '✓'),
    );
    assert.deepEqual(
      api.asked.map(({ url }) => url),
      ['/readyz', '/v1/catalog/models?limit=1'],
    );
  });

  test('files that others may read fail with the command that mends them', async () => {
    chmodSync(join(dataDir, 'root.key'), 0o644);
    chmodSync(dataDir, 0o755);
    const { code, stdout } = await run('--local');
    assert.equal(code, 1);
    assert.ok(stdout.includes(`Run chmod 600 ${join(dataDir, 'root.key')}`));
    assert.ok(stdout.includes(`Run chmod 700 ${dataDir}`));
  });

  test('a database that a silent process holds fails; one that the answering server holds does not', async () => {
    const lock = new DatabaseSync(join(dataDir, 'data', 'keyfold.lock'));
    lock.exec('pragma journal_mode = delete; begin exclusive');
    const unasked = await run('--local');
    assert.equal(unasked.code, 0);
    assert.match(unasked.stdout, /– database .*in use/);
    const silent = await run('--url', 'http://127.0.0.1:1');
    assert.equal(silent.code, 1);
    assert.match(silent.stdout, /✗ database .*is held by a process that does not answer/);
    api.reply(READY, PRICES);
    const answering = await run();
    assert.equal(answering.code, 0);
    assert.match(answering.stdout, /✓ database .*in use by the running server/);
    lock.close();
  });

  test('what was never made fails with how to make it', async () => {
    rmSync(dataDir, { recursive: true });
    const { code, stdout } = await run('--local');
    assert.equal(code, 1);
    assert.equal(stdout.match(/✗/g)?.length, 3);
    assert.match(stdout, /keyfold init/);
  });

  test('a server that is not ready, and an empty catalog, fail', async () => {
    api.reply(
      { status: 503, body: { status: 'unavailable', problem: 'storage: it is full' } },
      { body: { object: 'list', data: [], has_more: false } },
    );
    const { code, stdout } = await run();
    assert.equal(code, 1);
    assert.match(stdout, /✗ server .*is not ready: storage: it is full/);
    assert.match(stdout, /✗ prices .*the catalog is empty/);
  });

  test('a wrong configuration is one finding among the others', async () => {
    api.reply(READY, PRICES);
    const { code, stdout, stderr } = await run('--listen', '8080', '--json');
    assert.equal(code, 1);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: { name: string; state: string }[] };
    assert.equal(ok, false);
    assert.deepEqual(
      checks.map(({ name, state }) => `${name} ${state}`),
      ['configuration failed', 'clock ok', 'server ok', 'prices ok'],
    );
    assert.match(stderr, /1 of 4 checks failed/);
  });

  test('PostgreSQL that does not accept connections fails, and its password is not printed', async () => {
    const { code, stdout } = await run('--local', '--database-url', 'postgres://u:hunter2@127.0.0.1:1/d');
    assert.equal(code, 1);
    assert.match(stdout, /✗ database +PostgreSQL at 127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/);
    assert.doesNotMatch(stdout, /hunter2/);
  });
});

describe('checkClock', () => {
  const nowMs = Date.UTC(2030, 0, 1);

  test('a minute apart from the server is tolerated, more is not', () => {
    assert.equal(checkClock(nowMs + 60_000, nowMs).state, 'ok');
    assert.equal(checkClock(nowMs - 61_000, nowMs).state, 'failed');
  });

  test('a clock that was never set fails without a server', () => {
    assert.equal(checkClock(undefined, 0).state, 'failed');
    assert.equal(checkClock(undefined, nowMs).state, 'ok');
  });
});
