import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import pg from 'pg';
import { signedFetch } from '../../../sdk/src/signing/index.ts';
import { rowsOf, textAt } from '../control/support.ts';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { type Answer, sendJson } from '../keyfold.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { startMockProvider } from '../mock-provider.ts';
import { MODEL, addModel, assertRefused, chatBody, issueKey, until } from './support.ts';

/** Some tens of calls fill it. */
const FULL_AT_KIB = 1_024;
const CALLS_MAX = 2_000;
const REFUSED_IN_A_ROW = 10;
const PROBE_TIMEOUT_MS = 15_000;
const NOBODY = 65_534;
const START_FAILED = /it ended with 1: .*error: Keyfold did not start: /s;

describe('a full disk', () => {
  test('refuses calls with 503 before anything is sent, still answers reads, and loses no settlement', async () => {
    await using provider = await startMockProvider();
    await using keyfold = await createKeyfoldProcess(kindOf('sqlite'));
    await keyfold.start({}, { fileKibMax: FULL_AT_KIB });
    const admin = { provider, keyfold: clientOf(keyfold) };
    await addModel(admin, { name: MODEL, input: '1', output: '2' });
    const key = await issueKey(admin, { budgets: { total_usd: '1' } });
    const chat = () => send(keyfold, { path: '/v1/chat/completions', body: chatBody(), secret: key.secret });
    const signed = await createSigned(keyfold);
    assert.equal(await signed(), 200);

    // A small commit may fit where a larger one did not: full is when one call after another is refused.
    let refused = 0;
    for (let calls = 0; refused < REFUSED_IN_A_ROW; calls++) {
      assert.ok(calls < CALLS_MAX, 'the disk is never full');
      const seen = provider.calls.length;
      const answer = await chat();
      refused = answer.status === 200 ? 0 : refused + 1;
      if (answer.status === 200) continue;
      assertRefused(answer, { status: 503, code: 'unavailable' });
      assert.equal(provider.calls.length, seen, 'nothing reaches the provider without a reservation');
    }
    const seen = provider.calls.length;
    assert.equal(await signed(), 503, 'a signature that cannot be used up is not accepted');
    assert.equal(provider.calls.length, seen);
    const changed = await clientOf(keyfold).request('POST', '/v1/projects', { name: 'no record, no change' });
    assert.equal(changed.status, 503, changed.text);
    assert.equal((await clientOf(keyfold).request('GET', '/healthz')).status, 200);

    await keyfold.signal('SIGKILL');
    await keyfold.start();
    const [budget] = rowsOf(
      await clientOf(keyfold).request('GET', `/v1/budgets?scope=key&scope_id=${key.id}`),
    );
    const billedUsd = provider.bill.calls * 0.000_02;
    assert.ok(
      Number(budget?.['posted_usd']) >= billedUsd - 1e-9,
      `${String(budget?.['posted_usd'])} of ${billedUsd}`,
    );
    assert.equal(Number(budget?.['held_usd']), 0);
    const projects = rowsOf(await clientOf(keyfold).request('GET', '/v1/projects'));
    assert.ok(!projects.some(({ name }) => name === 'no record, no change'));
    assert.equal((await chat()).status, 200);
  });
});

describe('readiness', () => {
  test('is refused while the disk is full', async () => {
    await using keyfold = await createKeyfoldProcess(kindOf('sqlite'));
    await keyfold.start({}, { fileKibMax: FULL_AT_KIB });
    const key = await issueKey({ keyfold: clientOf(keyfold), provider: { url: '' } }, { kind: 'test' });
    const body = chatBody({ model: 'sandbox/echo' });
    const chat = () => send(keyfold, { path: '/v1/chat/completions', body, secret: key.secret });
    for (let refused = 0; refused < REFUSED_IN_A_ROW;)
      refused = (await chat()).status === 503 ? refused + 1 : 0;
    // The probe writes less than a call: what little room is left goes first.
    await until(async () => {
      const { status } = await clientOf(keyfold).request('GET', '/readyz');
      return status === 503 ? true : undefined;
    }, PROBE_TIMEOUT_MS);
  });
});

describe('a database that cannot be had', () => {
  test('because another process has it, ends the second start with one clear sentence and leaves the first alone', async () => {
    await using keyfold = await createKeyfoldProcess(kindOf('sqlite'));
    await keyfold.start();
    const [url, from] = [keyfold.url, keyfold.output.length];
    await using second = await createKeyfoldProcess(kindOf('sqlite'));
    await assert.rejects(
      second.start({ KEYFOLD_DATA_DIR: keyfold.dataDir, KEYFOLD_ADMIN_KEY_FILE: '/nonexistent/unused' }),
      /it ended with 1: .*error: Keyfold did not start: .* is in use by another Keyfold process/s,
    );
    assert.equal(
      (await sendJson(`${url}/readyz`, { method: 'GET', body: undefined, options: {} })).status,
      200,
    );
    assert.equal(keyfold.output.slice(from), '');
    assert.equal(await keyfold.signal('SIGTERM'), 0);
  });

  for (const [name, spoil] of [
    ['is a read-only file', (data: string) => chmodSync(join(data, 'keyfold.db'), 0o400)],
    ['is in a read-only directory', (data: string) => chmodSync(data, 0o500)],
  ] as const) {
    test(`because it ${name}, ends the start with one clear sentence`, async () => {
      await using keyfold = await createKeyfoldProcess(kindOf('sqlite'));
      await keyfold.start();
      assert.equal(await keyfold.signal('SIGTERM'), 0);
      const data = join(keyfold.dataDir, 'data');
      const isRoot = process.getuid?.() === 0;
      if (isRoot) giveAway(keyfold.dataDir);
      spoil(data);
      await assert.rejects(keyfold.start({}, isRoot ? { uid: NOBODY } : {}), START_FAILED);
      assert.doesNotMatch(keyfold.output, /^\s+at /m, 'a sentence, not a stack');
      chmodSync(data, 0o700);
    });
  }

  test('because PostgreSQL is not there, ends the start with one clear sentence', async () => {
    await using keyfold = await createKeyfoldProcess(kindOf('sqlite'));
    await assert.rejects(
      keyfold.start({ KEYFOLD_DATABASE_URL: 'postgres://keyfold:hunter2@127.0.0.1:1/keyfold' }),
      START_FAILED,
    );
    assert.ok(!keyfold.output.includes('hunter2'), keyfold.output);
  });
});

describe('PostgreSQL that ends every session', () => {
  test('refuses or serves each call and loses none; the gateway comes back by itself', async () => {
    await using provider = await startMockProvider();
    await using keyfold = await createKeyfoldProcess(kindOf('postgres'));
    await keyfold.start();
    const admin = { provider, keyfold: clientOf(keyfold) };
    await addModel(admin, { name: MODEL, input: '1', output: '2' });
    const key = await issueKey(admin, { budgets: { total_usd: '1' } });
    const chat = () => send(keyfold, { path: '/v1/chat/completions', body: chatBody(), secret: key.secret });
    const answers = Promise.all(
      Array.from({ length: 8 }, async () => {
        const seen: Answer[] = [];
        for (let turn = 0; turn < 40; turn++) seen.push(await chat());
        return seen;
      }),
    );
    await provider.arrived(20);
    await endSessions(keyfold);
    for (const answer of (await answers).flat()) {
      if (answer.status !== 200) assertRefused(answer, { status: 503, code: 'unavailable' });
    }
    await until(async () => ((await chat()).status === 200 ? true : undefined));
    const budget = await until(async () => {
      const [row] = rowsOf(
        await clientOf(keyfold).request('GET', `/v1/budgets?scope=key&scope_id=${key.id}`),
      );
      return row !== undefined && Number(row['held_usd']) === 0 ? row : undefined;
    }, 20_000);
    assert.ok(Number(budget['posted_usd']) >= provider.bill.calls * 0.000_02 - 1e-9);
    assert.equal(await keyfold.signal('SIGTERM'), 0, keyfold.output);
  });
});

describe('PostgreSQL that is away', () => {
  test('refuses every call and change with 503 until it is back, and the provider sees nothing', async () => {
    await using provider = await startMockProvider();
    await using keyfold = await createKeyfoldProcess(kindOf('postgres'));
    await keyfold.start();
    const admin = { provider, keyfold: clientOf(keyfold) };
    await addModel(admin, { name: MODEL, input: '1', output: '2' });
    const key = await issueKey(admin, { budgets: { total_usd: '1' }, rate_limit: 100 });
    const chat = () => send(keyfold, { path: '/v1/chat/completions', body: chatBody(), secret: key.secret });
    assert.equal((await chat()).status, 200);
    const signed = await createSigned(keyfold);
    assert.equal(await signed(), 200);
    await allowConnections(keyfold, false);
    await endSessions(keyfold);
    const seen = provider.calls.length;
    for (let turn = 0; turn < 5; turn++) assertRefused(await chat(), { status: 503, code: 'unavailable' });
    assert.equal(await signed(), 503, 'a signature that cannot be used up is not accepted');
    const changed = await clientOf(keyfold).request('POST', '/v1/projects', { name: 'not now' });
    assert.equal(changed.status, 503, changed.text);
    await until(async () =>
      (await clientOf(keyfold).request('GET', '/readyz')).status === 503 ? true : undefined,
    );
    assert.equal(provider.calls.length, seen);
    await allowConnections(keyfold, true);
    await until(async () => ((await chat()).status === 200 ? true : undefined));
    const usage = await send(keyfold, { path: '/v1/usage/current', secret: key.secret });
    const { used } = usage.body['requests_this_minute'] as { used: number };
    assert.ok(used <= 2, `a call that was refused took nothing of the rate limit: ${used}`);
    assert.equal(await keyfold.signal('SIGTERM'), 0, keyfold.output);
  });
});

/** Calls with a key that must sign, and tells the status of the answer. */
async function createSigned(keyfold: KeyfoldProcess): Promise<() => Promise<number>> {
  const created = await clientOf(keyfold).request('POST', '/v1/keys', {
    permissions: ['chat'],
    signing: { required: true },
  });
  const signing = {
    version: '2',
    keyId: textAt(created, 'id'),
    signingSecret: textAt(created, 'signing_secret'),
  } as const;
  const send = signedFetch(signing);
  return async () => {
    const { status } = await send(`${keyfold.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatBody()),
    });
    return status;
  };
}

function kindOf(name: DatabaseKind['name']): DatabaseKind {
  const kind = DATABASE_KINDS.find((each) => each.name === name);
  assert.ok(kind);
  return kind;
}

function giveAway(directory: string): void {
  chownSync(directory, NOBODY, NOBODY);
  for (const entry of readdirSync(directory, { recursive: true })) {
    chownSync(join(directory, String(entry)), NOBODY, NOBODY);
  }
}

/** Ends every session of the process's database. */
function endSessions(keyfold: KeyfoldProcess): Promise<void> {
  return administer(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${databaseName(keyfold)}'`,
  );
}

function allowConnections(keyfold: KeyfoldProcess, isAllowed: boolean): Promise<void> {
  return administer(`alter database ${databaseName(keyfold)} allow_connections ${isAllowed}`);
}

function databaseName({ databaseUrl }: KeyfoldProcess): string {
  return new URL(databaseUrl ?? '').pathname.slice(1);
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env['KEYFOLD_TEST_POSTGRES_URL'] });
  await client.connect();
  await client.query(sql);
  await client.end();
}

function send(
  keyfold: KeyfoldProcess,
  of: { readonly path: string; readonly body?: object; readonly secret: string },
): Promise<Answer> {
  const options = { key: of.secret };
  const method = of.body === undefined ? 'GET' : 'POST';
  return sendJson(`${keyfold.url}${of.path}`, { method, body: of.body, options });
}

function clientOf(keyfold: KeyfoldProcess) {
  return {
    request: (method: string, path: string, body?: unknown) =>
      sendJson(`${keyfold.url}${path}`, { method, body, options: { key: keyfold.adminKey } }),
  };
}
