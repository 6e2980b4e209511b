import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Server, createServer as createHttpServer } from 'node:http';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Fault } from '../../src/kernel/fault.ts';
import { SteadyClock } from '../../src/kernel/steady-clock.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { describeRouted } from './routed.ts';
import { auditOf, budgetsOf, callsOf, issueKey, until } from './support.ts';

const FAILS = { kind: 'status', status: 503 } as const;
const ANSWER = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

/** Its base URL. */
async function listen(server: Server, context: TestContext): Promise<string> {
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

describeRouted('attempts', (routed) => {
  test('a database that fails between two attempts gives the place of the call back', async () => {
    await routed().addPair('torn');
    const key = await issueKey(routed().gateway, { limits: { concurrent_requests: 1 } });
    // oxlint-disable-next-line typescript/unbound-method -- called with its ledger
    const { reserve } = Ledger.prototype;
    Ledger.prototype.reserve = function (request) {
      if (request.call.attempt > 1) throw new Fault('unavailable', { internal: 'the database is away' });
      return reserve.call(this, request);
    };
    routed().first.script(FAILS);
    const answer = await routed().ask('torn', {}, key.secret);
    Ledger.prototype.reserve = reserve;
    assert.equal(answer.status, 503, answer.text);
    await until(async () => ((await routed().ask('torn', {}, key.secret)).status === 200 ? true : undefined));
  });

  test('a target that takes connections and no request costs nothing when its time is up', async (context) => {
    const opened = new Set<Socket>();
    const silent = createServer((socket) => void opened.add(socket.on('error', () => {})));
    context.after(() => {
      for (const socket of opened) socket.destroy();
      silent.close();
    });
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    // It never says a word of TLS.
    await routed().addPair('unsent', {
      firstUrl: `https://127.0.0.1:${port}/v1`,
      retry: { answer_timeout_ms: 200 },
    });
    const answer = await routed().ask('unsent');
    assert.equal(answer.status, 200, answer.text);
    const [failed] = await routed().attemptsOf(answer.headers.get('x-request-id'), 2);
    assert.deepEqual([failed?.['outcome'], failed?.['cost_usd']], ['release', '0.00']);
  });

  test('the secret from before a rotation goes to its own credential alone, and counts as no attempt', async (context) => {
    const seen: string[] = [];
    const good = 'Bearer sk-second-new';
    const server = createHttpServer((incoming, outgoing) => {
      seen.push(String(incoming.headers.authorization));
      incoming.resume();
      const isGood = incoming.headers.authorization === good;
      outgoing.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' });
      outgoing.end(isGood ? ANSWER : '{"error":{"message":"who?"}}');
    });
    const url = await listen(server, context);
    for (const name of ['first', 'second']) {
      const id = await routed().addCredential(name, { url, model: 'rotated' });
      const secret = `sk-${name}-new`;
      await routed().keyfold.request('POST', `/v1/credentials/${id}/rotate`, { secret });
    }
    await routed().addRoute('rotated-route', {
      targets: [{ model: 'openai-compatible/rotated' }],
      retry: { attempts_max: 2 },
    });
    const statuses = [];
    for (let round = 0; round < 3; round++) statuses.push((await routed().ask('rotated-route')).status);
    assert.deepEqual(statuses, [200, 200, 200]);
    assert.ok(!seen.includes('Bearer sk-second'), seen.join());
    const refused = seen.filter((secret) => secret !== good);
    assert.deepEqual(refused, ['Bearer sk-first-new', 'Bearer sk-first']);
  });

  test('a target that could not serve the call is no reason to give another up', async (context) => {
    // Slower than the route would allow, were there another target; then it fails.
    let calls = 0;
    const server = createHttpServer((incoming, outgoing) => {
      incoming.resume();
      const status = calls++ === 0 ? 200 : 503;
      outgoing.setHeader('content-type', 'application/json');
      setTimeout(() => outgoing.writeHead(status).end(status === 200 ? ANSWER : '{}'), 150);
    });
    const url = await listen(server, context);
    await routed().addCredential('slow', { url });
    await routed().addCredential('foreign', { url: 'https://api.anthropic.com/v1', provider: 'anthropic' });
    await routed().addRoute('mixed', {
      targets: [{ model: 'openai-compatible/slow' }, { model: 'anthropic/foreign', priority: 1 }],
      retry: { answer_timeout_ms: 50, attempts_max: 1 },
    });
    // What has no equivalent at Anthropic.
    const fields = { seed: 1, logprobs: true };
    assert.equal((await routed().ask('mixed', fields)).status, 200);
    assert.equal((await routed().ask('mixed', fields)).status, 502);
  });

  test('a refusal between two attempts is recorded and counted like any other', async () => {
    await routed().addPair('poor');
    const key = await issueKey(routed().gateway, { budgets: { total_usd: '0.0015' } });
    // Charged at the hold: then there is no room for another.
    routed().first.script({ kind: 'status', status: 408 });
    const answer = await routed().ask('poor', {}, key.secret);
    assert.deepEqual([answer.status, answer.headers.get('x-should-retry')], [402, 'false'], answer.text);
    const actions = await until(async () => {
      const events = await auditOf(routed().gateway, answer.headers.get('x-request-id') ?? '');
      return events.length >= 3 ? events.map((event) => event['action']) : undefined;
    });
    assert.deepEqual(actions.toSorted(), ['call.opened', 'call.refused', 'call.settled']);
  });

  test('attempts that surely used nothing leave the tokens a minute as they were', async () => {
    await routed().addCredential('failing', { url: routed().first.url });
    const key = await issueKey(routed().gateway, { limits: { tokens_per_minute: 1_000 } });
    routed().first.script(FAILS);
    assert.equal((await routed().ask('failing', { max_tokens: 900 }, key.secret)).status, 502);
    await until(async () => {
      const { status } = await routed().ask('failing', { max_tokens: 900 }, key.secret);
      return status === 200 ? true : undefined;
    });
  });

  test('what may have been billed is not sent again where its price is not known', async () => {
    await routed().addCredential('unpriced', { url: routed().first.url, isPriced: false });
    await routed().addRoute('unpriced-route', { targets: [{ model: 'openai-compatible/unpriced' }] });
    const key = await issueKey(routed().gateway);
    const before = routed().first.calls.length;
    routed().first.script({ kind: 'reset' }, { kind: 'reset' });
    assert.equal((await routed().ask('unpriced-route', {}, key.secret)).status, 502);
    routed().first.unscript();
    assert.equal(routed().first.calls.length, before + 1);
  });

  test('of a crowd that finds a target half open, one probes it', async () => {
    await routed().addPair('crowd');
    routed().first.behave(FAILS);
    for (let round = 0; round < 5; round++) await routed().ask('crowd');
    // Due again, without the wait.
    // oxlint-disable-next-line typescript/unbound-method -- called with its clock
    const { monotonicMs } = SteadyClock.prototype;
    SteadyClock.prototype.monotonicMs = function () {
      return monotonicMs.call(this) + 6_000;
    };
    const before = routed().first.calls.length;
    const answers = await Promise.all(Array.from({ length: 20 }, () => routed().ask('crowd')));
    SteadyClock.prototype.monotonicMs = monotonicMs;
    routed().first.behave({ kind: 'ok' });
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal(routed().first.calls.length, before + 1);
  });

  test('a server that repeats what it was sent tells clients neither secret nor address', async (context) => {
    const server = createHttpServer((incoming, outgoing) => {
      incoming.resume();
      const { authorization, host } = incoming.headers;
      const message = `got ${authorization} at http://${host}/v1, see http://10.1.2.3:8000/v1`;
      outgoing.writeHead(400, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ error: { message, param: authorization } }));
    });
    const url = await listen(server, context);
    const secret = 'token-abc123';
    await routed().addCredential('echoing', { url, secret });
    const answer = await routed().ask('echoing');
    assert.equal(answer.status, 400);
    assert.match(answer.text, /got Bearer/);
    for (const inner of [secret, new URL(url).host, '10.1.2.3'])
      assert.ok(!answer.text.includes(inner), answer.text);
  });

  test('what one call may not use does not keep others from the credential', async () => {
    await routed().addCredential('partly', { url: routed().first.url });
    routed().first.script({ kind: 'status', status: 403 });
    assert.equal((await routed().ask('partly')).status, 502);
    const shown = await routed().keyfold.request('GET', '/v1/credentials?limit=100');
    const partly = (shown.body['data'] as Record<string, unknown>[]).find((row) => row['name'] === 'partly');
    assert.deepEqual(partly?.['health'], { state: 'healthy', reason: null, rests_for_seconds: 0 });
  });

  test('early usage does not hide what was streamed after it', async () => {
    const chunk = (fields: object) => `data: ${JSON.stringify({ id: 'c', model: 'm', ...fields })}\n\n`;
    const words = chunk({ choices: [{ index: 0, delta: { content: ' word'.repeat(2_000) } }] });
    const early = chunk({
      choices: [{ index: 0, delta: { role: 'assistant', content: '' } }],
      usage: { prompt_tokens: 10, completion_tokens: 0, total_tokens: 10 },
    });
    await routed().addCredential('early', { url: routed().first.url, fields: { stream_policy: 'streamed' } });
    const key = await issueKey(routed().gateway, { budgets: { total_usd: '1' } });
    routed().first.script({ kind: 'raw-stream', pieces: [early, words], ending: 'reset' });
    const answer = await routed().ask('early', { stream: true, max_tokens: 5_000 }, key.secret);
    assert.match(answer.text, /provider_error/);
    const [row] = await until(async () => {
      const rows = await callsOf(routed().gateway, key);
      return rows.length > 0 ? rows : undefined;
    });
    assert.deepEqual([row?.['provenance'], row?.['input_tokens']], ['counted', 10]);
    assert.ok(Number(row?.['output_tokens']) >= 2_000, JSON.stringify(row));
    assert.ok(Number(row?.['cost_usd']) < Number(row?.['held_usd']));
    const [budget] = await budgetsOf(routed().gateway, key);
    assert.equal(budget?.['posted_usd'], row?.['cost_usd']);
  });
});
