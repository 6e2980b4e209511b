import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import pg from 'pg';
import { startSyslog } from '../syslog-receiver.ts';
import {
  assertProblem,
  auditEvents,
  chat,
  createAdmin,
  createKey,
  rowsOf,
  textAt,
} from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { type Body, sendJson, startTestKeyfold } from '../keyfold.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { startHttp } from '../stand-in-origin.ts';
import { openNote, provesInclusion } from '../verify-proof.ts';
import { until } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'keyfold-audit-sinks-'));
after(() => rmSync(folder, { recursive: true }));
const LOOPBACK = ['127.0.0.0/8'];
const LAG_MS = 300;
const RECOVERY_MS = 5_000;

for (const kind of DATABASE_KINDS) {
  describe(`audit sinks on ${kind.name}`, () => {
    test('one that is down refuses calls and changes once it is too late, while reads go on, until it has caught up', async () => {
      const free = await startSyslog();
      await free.close();
      const file = join(folder, `checkpoints-${kind.name}`);
      await using keyfold = await startTestKeyfold(kind, {
        webhookNetworks: LOOPBACK,
        auditSinkLagMs: LAG_MS,
        auditCheckpointFile: file,
        auditCheckpointSyslog: { host: '127.0.0.1', port: free.port, isTls: false },
      });
      const key = textAt(await createKey(keyfold), 'api_key');
      const made: string[] = [];
      let changes = 0;
      const change = async () => {
        const name = `change ${++changes}`;
        const answer = await keyfold.request('POST', '/v1/projects', { name });
        if (answer.status === 201) made.push(name);
        return answer;
      };
      const refused = await until(async () => {
        const answer = await change();
        return answer.status === 503 ? answer : undefined;
      });
      assertProblem(refused, { status: 503, code: 'unavailable' });
      assert.match(refused.text, /audit sink 'syslog'/);
      const call = await until(async () => {
        const answer = await chat(keyfold, key);
        return answer.status === 503 ? answer : undefined;
      });
      assert.match(call.text, /audit sink 'syslog' is behind/);
      assert.equal((await keyfold.request('GET', '/readyz')).status, 200);
      assert.equal((await keyfold.request('GET', '/v1/projects')).status, 200);
      const [fileStatus, syslogStatus] = rowsOf(await keyfold.request('GET', '/v1/audit/sinks'));
      assert.deepEqual(
        [fileStatus?.['id'], fileStatus?.['pending'], fileStatus?.['last_error']],
        ['file', 0, null],
      );
      assert.deepEqual([syslogStatus?.['id'], syslogStatus?.['last_error']], ['syslog', 'refused']);
      assert.ok(Number(syslogStatus?.['pending']) > 0);
      const metrics = await keyfold.request('GET', '/metrics');
      assert.match(metrics.text, /keyfold_audit_checkpoints_pending\{sink="syslog"\} [1-9]/);
      assert.match(metrics.text, /keyfold_audit_checkpoint_age_seconds \d/);
      assert.match(metrics.text, /keyfold_audit_inconsistencies_total 0/);

      await using receiver = await startSyslog({ port: free.port });
      const backMs = performance.now();
      const changed = await until(async () => {
        const answer = await change();
        return answer.status === 503 ? undefined : answer;
      });
      assert.equal(changed.status, 201, changed.text);
      assert.equal((await chat(keyfold, key)).status, 200);
      assert.ok(performance.now() - backMs < RECOVERY_MS);
      const projects = rowsOf(await keyfold.request('GET', '/v1/projects?limit=100'));
      const names = projects.map(({ name }) => String(name)).filter((name) => name.startsWith('change'));
      assert.deepEqual(names.toSorted(), made.toSorted(), 'what was refused was not made');
      const sizes = checkpointsIn(file).map(({ size }) => size);
      assert.deepEqual(
        receiver.messages
          .map((message) => JSON.parse(/\{.*\}$/.exec(message)?.[0] ?? '{}') as Body)
          .map(({ size }) => size),
        sizes,
        'none is missing',
      );
    });

    test('at a private address, a receiver needs its network', async () => {
      let requests = 0;
      await using receiver = await startSyslog();
      await using hook = await startHttp((_request, response) => {
        requests++;
        response.end();
      });
      const secretFile = join(folder, `secret-${kind.name}`);
      writeFileSync(secretFile, `whsec_${Buffer.alloc(32, 5).toString('base64')}`, { mode: 0o600 });
      await assert.rejects(
        startTestKeyfold(kind, { auditCheckpointWebhook: { url: `${hook.url}/x`, secretFile } }),
        /KEYFOLD_AUDIT_CHECKPOINT_WEBHOOK is not allowed/,
      );
      await using keyfold = await startTestKeyfold(kind, {
        auditCheckpointSyslog: { host: '127.0.0.1', port: receiver.port, isTls: false },
      });
      const [sink] = await until(async () => {
        const rows = rowsOf(await keyfold.request('GET', '/v1/audit/sinks'));
        return rows[0]?.['last_error'] === null ? undefined : rows;
      });
      assert.deepEqual([sink?.['id'], sink?.['last_error']], ['syslog', 'denied_address']);
      assert.deepEqual([receiver.messages, requests], [[], 0]);
    });

    test('are shown, as checkpoints and proofs are, to those who may read the log', async () => {
      await using keyfold = await startTestKeyfold(kind);
      const reader = await createAdmin(keyfold, 'audit:read');
      const other = await createAdmin(keyfold, 'keys:read');
      assertProblem(await keyfold.request('GET', '/v1/audit/sinks', undefined, reader), {
        status: 403,
        code: 'permission_denied',
      });
      for (const path of [
        'checkpoints',
        'sinks',
        'proofs/inclusion?event=1-1',
        'proofs/consistency?node=1&from=1&to=2',
      ]) {
        assertProblem(await keyfold.request('GET', `/v1/audit/${path}`, undefined, other), {
          status: 403,
          code: 'permission_denied',
        });
      }
      const list = await until(async () => {
        const answer = await keyfold.request('GET', '/v1/audit/checkpoints', undefined, reader);
        return rowsOf(answer).length > 0 ? answer : undefined;
      });
      const [newest] = rowsOf(list);
      const vkey = textAt(list, 'vkey');
      assert.equal(openNote(textAt(newest ?? {}, 'note'), vkey).size, newest?.['size']);
      const covered = (await auditEvents(keyfold)).find(
        ({ sequence }) => Number(sequence) <= Number(newest?.['size']),
      );
      const proof = await keyfold.request(
        'GET',
        `/v1/audit/proofs/inclusion?event=${String(covered?.['id'])}`,
      );
      assert.equal(proof.status, 200, proof.text);
      const body = proof.body as unknown as Parameters<typeof provesInclusion>[0] & {
        checkpoint: { note: string };
      };
      assert.ok(provesInclusion({ ...body, note: body.checkpoint.note }, vkey));
    });

    test('have every checkpoint of processes that were killed and stopped, and none is missing', async () => {
      const file = join(folder, `killed-${kind.name}`);
      await using keyfold = await createKeyfoldProcess(kind);
      const environment = { KEYFOLD_AUDIT_CHECKPOINT_FILE: file };
      const list = async () => {
        const options = { key: keyfold.adminKey };
        return rowsOf(
          await sendJson(`${keyfold.url}/v1/audit/checkpoints?limit=100`, {
            method: 'GET',
            body: undefined,
            options,
          }),
        );
      };
      let known = 0;
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
        await keyfold.start(environment);
        await until(async () => ((await list()).length > known ? true : undefined));
        known = (await list()).length;
        await keyfold.signal(signal);
      }
      await keyfold.start(environment);
      const signed = await until(async () => {
        const rows = await list();
        const delivered = new Set(checkpointsIn(file).map(({ size }) => size));
        return rows.every(({ size }) => delivered.has(Number(size))) ? rows : undefined;
      });
      const sizes = checkpointsIn(file).map(({ size }) => size);
      assert.deepEqual(
        sizes,
        sizes.toSorted((a, b) => a - b),
        'in order',
      );
      assert.ok(signed.length >= 4);
      await keyfold.signal('SIGTERM');
    });

    test('an audit log that was edited while Keyfold was away is told of, and calls go on', async () => {
      await using keyfold = await createKeyfoldProcess(kind);
      await keyfold.start();
      const request = (method: string, path: string, body?: unknown, key = keyfold.adminKey) =>
        sendJson(`${keyfold.url}${path}`, { method, body, options: { key } });
      await until(async () =>
        rowsOf(await request('GET', '/v1/audit/checkpoints')).length > 0 ? true : undefined,
      );
      const created = await request('POST', '/v1/keys', { permissions: ['chat'] });
      await keyfold.signal('SIGKILL');
      await edit(keyfold, `update audit_records set record = replace(record, 'key.created', 'key.updated')`);
      await keyfold.start();
      const inconsistent = await until(async () => {
        const { body } = await request('GET', '/v1/audit/checkpoints');
        return (body['inconsistent'] as Body[])[0];
      });
      assert.deepEqual(
        [inconsistent['node'], inconsistent['why']],
        [1, 'the record or its head was changed'],
      );
      const chatted = await request(
        'POST',
        '/v1/chat/completions',
        { model: 'sandbox/echo', messages: [{ role: 'user', content: 'Hello' }] },
        textAt(created, 'api_key'),
      );
      assert.equal(chatted.status, 200, chatted.text);
      const events = rowsOf(await request('GET', '/v1/audit/events?limit=10'));
      assert.ok(events.some(({ action, target }) => action === 'audit.inconsistent' && target === 'node-1'));
      assert.match((await request('GET', '/metrics')).text, /keyfold_audit_inconsistencies_total 1/);
      assert.match(keyfold.output, /the audit chain contradicts its checkpoints/);
      const signed = rowsOf(await request('GET', '/v1/audit/checkpoints')).length;
      await keyfold.signal('SIGTERM');
      await keyfold.start();
      assert.equal(rowsOf(await request('GET', '/v1/audit/checkpoints')).length, signed, 'also at the stop');
      await keyfold.signal('SIGTERM');
    });
  });
}

/** What somebody with the database does to it. */
async function edit({ dataDir, databaseUrl }: KeyfoldProcess, sql: string): Promise<void> {
  if (databaseUrl === undefined) {
    const database = new DatabaseSync(join(dataDir, 'data', 'keyfold.db'));
    database.exec(sql);
    database.close();
    return;
  }
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** Every note of the file. */
function checkpointsIn(file: string): { readonly size: number; readonly note: string }[] {
  const notes = readFileSync(file, 'utf8').match(/\S+\/node\/\d+\n\d+\n\S+\n\n— \S+ \S+\n\n/g) ?? [];
  return notes.map((note) => ({ size: Number(note.split('\n')[1]), note }));
}
