import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { describe, test } from 'node:test';
import { rowsOf } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { sendJson } from '../keyfold.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { startMockProvider } from '../mock-provider.ts';
import { type IssuedKey, MODEL, addModel, chatBody, issueKey, until } from './support.ts';

const STREAMS = 50;
const STOP_TIMEOUT_S = 2;
const ENVIRONMENT = { KEYFOLD_STOP_TIMEOUT_S: String(STOP_TIMEOUT_S) };

for (const kind of DATABASE_KINDS) {
  describe(`a stop by SIGTERM, on ${kind.name}`, () => {
    test(`cuts off ${STREAMS} streams that do not end, settles each, and exits with 0 in time`, async (context) => {
      await using provider = await startMockProvider();
      await using keyfold = await createKeyfoldProcess(kind);
      await keyfold.start(ENVIRONMENT);
      const admin = { provider, keyfold: clientOf(keyfold) };
      await addModel(admin, { name: MODEL, input: '1', output: '2' });
      const key = await issueKey(admin, { budgets: { total_usd: '1' } });
      provider.behave({ kind: 'stalled-stream' });
      const streams = Array.from({ length: STREAMS }, () => readStream(keyfold, key));
      await provider.arrived(STREAMS);

      const startMs = Date.now();
      const code = await keyfold.signal('SIGTERM');
      const tookMs = Date.now() - startMs;
      const ends = await Promise.all(streams);
      assert.equal(code, 0, keyfold.output);
      assert.ok(tookMs >= STOP_TIMEOUT_S * 1_000 - 100, `${tookMs} ms: the streams had time to end`);
      assert.ok(tookMs < STOP_TIMEOUT_S * 1_000 + 3_000, `the stop took ${tookMs} ms`);
      context.diagnostic(`${STREAMS} streams settled, stopped after ${tookMs} ms`);
      for (const text of ends) assert.match(text, /"code":"(provider_error|unavailable)"/, text);
      await until(() => (provider.abandoned === STREAMS ? true : undefined));

      provider.behave({ kind: 'ok' });
      await keyfold.start(ENVIRONMENT);
      const calls = rowsOf(await clientOf(keyfold).request('GET', `/v1/calls?key_id=${key.id}&limit=100`));
      assert.equal(calls.length, STREAMS);
      for (const row of calls) {
        assert.equal(row['outcome'], 'settlement', 'settled by the stop, not by the next start');
        assert.equal(row['cost_usd'], row['held_usd']);
        assert.ok((row['flags'] as string[]).includes('estimated'));
      }
      const [budget] = rowsOf(
        await clientOf(keyfold).request('GET', `/v1/budgets?scope=key&scope_id=${key.id}`),
      );
      assert.equal(Number(budget?.['held_usd']), 0);
      assert.equal(await keyfold.signal('SIGTERM'), 0);
    });

    test('lets a call that ends in time end, says not ready meanwhile, and waits no longer', async () => {
      await using provider = await startMockProvider();
      await using keyfold = await createKeyfoldProcess(kind);
      await keyfold.start({ KEYFOLD_STOP_TIMEOUT_S: '20' });
      const admin = { provider, keyfold: clientOf(keyfold) };
      await addModel(admin, { name: MODEL, input: '1', output: '2' });
      const key = await issueKey(admin);
      provider.behave({ kind: 'hang' });
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      assert.equal(await probe(keyfold, agent), 200);
      const leave = new AbortController();
      const running = openStream(keyfold, key, leave.signal).catch(() => undefined);
      await provider.arrived(1);
      const exited = keyfold.signal('SIGTERM');
      await until(async () => ((await probe(keyfold, agent)) === 503 ? true : undefined));
      const late = await fetch(`${keyfold.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key.secret}`, 'content-type': 'application/json' },
        body: JSON.stringify(chatBody()),
      });
      assert.equal(late.status, 503, 'no new call is taken');
      const startMs = Date.now();
      leave.abort();
      await running;
      assert.equal(await exited, 0, keyfold.output);
      assert.ok(Date.now() - startMs < 10_000, 'nothing was left to wait for');
      agent.destroy();
    });
  });
}

/** The status of `/readyz`. */
function probe(keyfold: KeyfoldProcess, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(`${keyfold.url}/readyz`, { agent }, (incoming) => {
      incoming.resume().once('end', () => resolve(incoming.statusCode));
    }).once('error', reject);
  });
}

/** The text of a stream, however it ends. */
async function readStream(keyfold: KeyfoldProcess, key: IssuedKey): Promise<string> {
  return (await openStream(keyfold, key)).text();
}

function openStream(keyfold: KeyfoldProcess, key: IssuedKey, signal?: AbortSignal): Promise<Response> {
  return fetch(`${keyfold.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key.secret}`, 'content-type': 'application/json' },
    body: JSON.stringify(chatBody({ stream: true })),
    ...(signal === undefined ? {} : { signal }),
  });
}

function clientOf(keyfold: KeyfoldProcess) {
  return {
    request: (method: string, path: string, body?: unknown) =>
      sendJson(`${keyfold.url}${path}`, { method, body, options: { key: keyfold.adminKey } }),
  };
}
