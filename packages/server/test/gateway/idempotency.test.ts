import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { SteadyClock } from '../../src/kernel/steady-clock.ts';
import { KEPT_ANSWER_BYTES_MAX } from '../../src/idempotency/kept-answer.ts';
import { Fault } from '../../src/kernel/fault.ts';
import type { Answer } from '../keyfold.ts';
import { sendRaw } from './raw-request.ts';
import {
  type Gateway,
  type IssuedKey,
  MODEL,
  assertNothingHeld,
  assertRefused,
  auditOf,
  budgetsOf,
  callsOf,
  chatBody,
  describeGateway,
  issueKey,
  onlyCall,
  until,
} from './support.ts';

const CHAT = '/v1/chat/completions';
const COPIES = 50;
const DAY_MS = 24 * 3_600_000;

interface Asked {
  readonly path?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

describeGateway('an Idempotency-Key on a model call', {}, (gateway) => {
  const ask = (key: IssuedKey, name: string, { path = CHAT, body = chatBody(), headers }: Asked = {}) =>
    gateway().keyfold.request('POST', path, body, {
      key: key.secret,
      headers: { 'idempotency-key': name, ...headers },
    });
  const sent = () => gateway().provider.calls.length;
  const budgeted = () => issueKey(gateway(), { budgets: { total_usd: '1' } });

  test('brings back the very same answer, and charges nothing more', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' }, rate_limit: 2 });
    const before = sent();
    const first = await ask(key, 'same');
    const again = await ask(key, 'same');
    assertReplayed(again, first);
    assert.equal(first.headers.get('x-keyfold-cost-usd'), '0.00002');
    assert.equal(again.headers.get('x-keyfold-cost-usd'), '0.00');
    assert.equal(again.headers.get('x-keyfold-model'), MODEL);
    assert.equal(again.headers.get('x-ratelimit-remaining-requests'), '0');
    assert.equal(sent(), before + 1);
    const call = await onlyCall(gateway(), key);
    assert.equal(call['request_id'], first.headers.get('x-request-id'));
    await assertNothingHeld(gateway(), key);
    assert.equal((await budgetsOf(gateway(), key))[0]?.['posted_usd'], '0.00002');
    assert.deepEqual(await actionsOf(gateway(), first), ['call.opened', 'call.settled']);
    const [record, ...others] = await auditOf(gateway(), String(again.headers.get('x-request-id')));
    assert.deepEqual(others, []);
    assert.equal(record?.['action'], 'call.replayed');
    assert.equal(record['actor'], key.id);
    assert.equal(record['target'], first.headers.get('x-request-id'));
    assert.deepEqual(record['detail'], { provider: call['provider'], model: MODEL });
    assertRefused(await ask(key, 'same'), { status: 429, code: 'rate_limit_exceeded' });
    const metrics = await gateway().keyfold.request('GET', '/metrics');
    assert.match(metrics.text, /^keyfold_replays_total [1-9]/m);
  });

  test("brings it back through OpenAI's client, streamed or not", async () => {
    const key = await budgeted();
    const client = new OpenAI({ apiKey: key.secret, baseURL: `${gateway().keyfold.url}/v1` });
    const chat = { model: MODEL, max_tokens: 10, messages: [{ role: 'user' as const, content: 'Hello' }] };
    const before = sent();
    const whole = () => client.chat.completions.create(chat, { headers: { 'Idempotency-Key': 'sdk-whole' } });
    assert.deepEqual(await whole(), await whole());
    const streamed = async () => {
      const options = { headers: { 'Idempotency-Key': 'sdk-stream' } };
      const chunks: unknown[] = [];
      for await (const chunk of await client.chat.completions.create({ ...chat, stream: true }, options))
        chunks.push(chunk);
      return chunks;
    };
    const chunks = await streamed();
    assert.ok(chunks.length > 3);
    assert.deepEqual(await streamed(), chunks);
    assert.equal(sent(), before + 2);
  });

  test('brings a stream back byte for byte, as the stream that it was', async () => {
    const key = await budgeted();
    for (const asksUsage of [true, false]) {
      const options = asksUsage ? { stream_options: { include_usage: true } } : {};
      const body = chatBody({ stream: true, ...options });
      const before = sent();
      const first = await ask(key, `stream-${asksUsage}`, { body });
      const again = await ask(key, `stream-${asksUsage}`, { body });
      assertReplayed(again, first);
      assert.match(first.text, /data: \[DONE\]\n\n$/);
      assert.match(again.headers.get('content-type') ?? '', /^text\/event-stream/);
      assert.equal(again.headers.get('cache-control'), 'no-cache');
      assert.equal(sent(), before + 1);
    }
    assert.equal((await callsOf(gateway(), key)).length, 2);
  });

  test('makes one call of many copies at once: the others are told to wait, or given its answer', async () => {
    const key = await budgeted();
    for (const stream of [false, true]) {
      const before = sent();
      const answers = await Promise.all(
        Array.from({ length: COPIES }, () => ask(key, `copies-${stream}`, { body: chatBody({ stream }) })),
      );
      const served = answers.filter(({ status }) => status === 200);
      assert.ok(served.length >= 1);
      for (const answer of answers) {
        if (answer.status === 200) assert.equal(answer.text, served[0]?.text);
        else assertInFlight(answer);
      }
      assert.equal(answers.filter((answer) => answer.status === 200 && !isReplayed(answer)).length, 1);
      assert.equal(sent(), before + 1);
      const [known] = served;
      assertReplayed(await ask(key, `copies-${stream}`, { body: chatBody({ stream }) }), known as Answer, {
        mayBeReplayed: true,
      });
    }
    assert.equal((await callsOf(gateway(), key)).length, 2);
  });

  test('gives the answer to many who ask for it at once', async () => {
    const key = await budgeted();
    const first = await ask(key, 'popular');
    const answers = await Promise.all(Array.from({ length: COPIES }, () => ask(key, 'popular')));
    for (const answer of answers) assertReplayed(answer, first);
  });

  test('is refused while the first request runs, whichever way it is answered', async () => {
    const key = await budgeted();
    for (const [name, behaviour] of [
      ['hanging', { kind: 'hang' }],
      ['stalled', { kind: 'stalled-stream' }],
    ] as const) {
      gateway().provider.script(behaviour);
      const before = sent();
      const leave = new AbortController();
      const first = fetchChat(gateway(), { key, name, stream: true, signal: leave.signal });
      await gateway().provider.arrived(before + 1);
      const body = chatBody({ stream: true });
      assertInFlight(await ask(key, name, { body }));
      assertRefused(await ask(key, name), { status: 422, code: 'idempotency_mismatch' });
      leave.abort();
      await first;
      // Whoever left has no answer: the next one is a call of its own, that is paid for by itself.
      const next = await until(async () => {
        const answer = await ask(key, name, { body });
        return answer.status === 409 ? undefined : answer;
      });
      assert.equal(next.status, 200, next.text);
      assert.ok(!isReplayed(next));
      assert.equal(sent(), before + 2);
      assertReplayed(await ask(key, name, { body }), next);
    }
    const calls = await callsOf(gateway(), key);
    assert.deepEqual(calls.map((call) => call['status']).toSorted(), [200, 200, 499, 499]);
  });

  test('is refused for another body, path or query, and the first answer stands', async () => {
    const key = await budgeted();
    const first = await ask(key, 'other');
    const before = sent();
    for (const asked of [
      { body: chatBody({ temperature: 1 }) },
      { body: ` ${JSON.stringify(chatBody())}` },
      { path: '/v1/embeddings', body: { model: MODEL, input: 'Hello' } },
      { path: `${CHAT}?beta=true` },
    ]) {
      const answer = await ask(key, 'other', asked);
      const error = assertRefused(answer, { status: 422, code: 'idempotency_mismatch' });
      assert.equal(error['type'], 'invalid_request_error');
      const [refusal] = await until(async () => {
        const events = await auditOf(gateway(), String(answer.headers.get('x-request-id')));
        return events.length > 0 ? events : undefined;
      });
      assert.equal(refusal?.['action'], 'call.refused');
    }
    assert.equal(sent(), before);
    assertReplayed(await ask(key, 'other'), first);
  });

  test('belongs to the key that sent it, whatever version of it', async () => {
    const [one, two] = [await budgeted(), await budgeted()];
    const before = sent();
    const first = await ask(one, 'whose');
    assert.ok(!isReplayed(await ask(two, 'whose')));
    const other = await ask(two, 'whose', { body: chatBody({ temperature: 1 }) });
    assertRefused(other, { status: 422, code: 'idempotency_mismatch' });
    const rotated = await gateway().keyfold.request('POST', `/v1/keys/${one.id}/rotate`, {});
    assertReplayed(await ask({ ...one, secret: String(rotated.body['new_api_key']) }, 'whose'), first);
    assert.equal(sent(), before + 2);
  });

  test('brings nothing back to whom the call is no longer allowed', async () => {
    const change = (key: IssuedKey, body: object) =>
      gateway().keyfold.request('PATCH', `/v1/keys/${key.id}`, body);
    const key = await budgeted();
    const first = await ask(key, 'allowed');
    const before = sent();
    await change(key, { permissions: ['embeddings'] });
    assertRefused(await ask(key, 'allowed'), { status: 403, code: 'permission_denied' });
    await change(key, { permissions: ['chat'], networks: ['192.0.2.0/24'] });
    assertRefused(await ask(key, 'allowed'), { status: 403, code: 'network_not_allowed' });
    await change(key, { networks: null, models: ['another-model'] });
    assertRefused(await ask(key, 'allowed'), { status: 403, code: 'model_not_allowed' });
    await change(key, { models: [MODEL] });
    assertReplayed(await ask(key, 'allowed'), first);
    await gateway().keyfold.request('DELETE', `/v1/keys/${key.id}`);
    assertRefused(await ask(key, 'allowed'), { status: 401, code: 'key_revoked' });
    assert.equal(sent(), before);
  });

  test('brings nothing back that cannot be recorded', async (context) => {
    const key = await budgeted();
    const first = await ask(key, 'recorded');
    // oxlint-disable-next-line typescript/unbound-method -- called with its log
    const { record } = AuditLog.prototype;
    context.mock.method(
      AuditLog.prototype,
      'record',
      function (this: AuditLog, ...of: Parameters<typeof record>) {
        if (of[0].action !== 'call.replayed') return record.apply(this, of);
        return Promise.reject(new Fault('unavailable', { internal: 'the database is away' }));
      },
    );
    const refused = await ask(key, 'recorded');
    assert.equal(refused.status, 503, refused.text);
    assert.ok(!refused.text.includes('Hello from the provider'));
    context.mock.restoreAll();
    assertReplayed(await ask(key, 'recorded'), first);
  });

  test('brings an answer back that was paid for when no money is left', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '0.0015' } });
    const body = chatBody({ max_tokens: 2 });
    gateway().provider.script({ kind: 'ok', tokens: { input: 1_000, output: 2 } });
    const first = await ask(key, 'last-cent', { body });
    assert.equal(first.status, 200, first.text);
    assertRefused(await ask(key, 'one-more', { body }), { status: 402, code: 'budget_exhausted' });
    assertReplayed(await ask(key, 'last-cent', { body }), first);
  });

  test('of a call that failed is free: the next one is a call of its own', async () => {
    const key = await budgeted();
    const failures = [
      { kind: 'status', status: 400 },
      { kind: 'status', status: 429 },
      { kind: 'status', status: 500 },
      { kind: 'status', status: 504 },
      { kind: 'reset' },
      { kind: 'garbage' },
    ] as const;
    for (const [index, failure] of failures.entries()) {
      gateway().provider.script(failure);
      const before = sent();
      const failed = await ask(key, `failed-${index}`);
      assert.ok(failed.status >= 400, failed.text);
      // Another body is fine, too: nothing was answered.
      const body = chatBody({ temperature: 1 });
      const next = await until(async () => {
        const answer = await ask(key, `failed-${index}`, { body });
        return answer.status === 409 ? undefined : answer;
      });
      assert.equal(next.status, 200, `${failure.kind}: ${next.text}`);
      assert.equal(sent(), before + 2);
      assertReplayed(await ask(key, `failed-${index}`, { body }), next);
    }
  });

  test('of a stream that broke off is free', async () => {
    const key = await budgeted();
    const body = chatBody({ stream: true });
    for (const kind of ['half-stream', 'stalled-stream'] as const) {
      gateway().provider.script(
        kind === 'half-stream' ? { kind } : { kind: 'raw-stream', pieces: ['data: {}\n\n'] },
      );
      const before = sent();
      const broken = await ask(key, `broken-${kind}`, { body });
      assert.match(broken.text, /provider_error/);
      const next = await until(async () => {
        const answer = await ask(key, `broken-${kind}`, { body });
        return answer.status === 409 ? undefined : answer;
      });
      assert.match(next.text, /\[DONE\]/);
      assert.equal(sent(), before + 2);
    }
  });

  test('of a call that policy refused is free', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '0.000001' } });
    const before = sent();
    for (let turn = 0; turn < 2; turn++)
      assertRefused(await ask(key, 'refused'), { status: 402, code: 'budget_exhausted' });
    await gateway().keyfold.request('PATCH', `/v1/keys/${key.id}`, { budgets: { total_usd: '1' } });
    assert.equal((await ask(key, 'refused')).status, 200);
    assertRefused(await ask(key, 'malformed', { body: '{"model"' }), {
      status: 400,
      code: 'invalid_request',
    });
    assert.equal((await ask(key, 'malformed')).status, 200);
    assert.equal(sent(), before + 2);
  });

  test('of an answer that is too long refuses a repeat, and does not call again', async () => {
    const key = await budgeted();
    const text = 'x'.repeat(KEPT_ANSWER_BYTES_MAX);
    const piece = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}\n\n`;
    for (const [stream, behaviour] of [
      [false, { kind: 'ok', text }],
      [true, { kind: 'raw-stream', pieces: [piece, 'data: [DONE]\n\n'] }],
    ] as const) {
      gateway().provider.script(behaviour);
      const before = sent();
      const body = chatBody({ stream });
      const first = await ask(key, `long-${stream}`, { body });
      assert.equal(first.status, 200, first.text.slice(0, 200));
      assert.ok(first.text.length > KEPT_ANSWER_BYTES_MAX);
      for (let turn = 0; turn < 2; turn++) {
        const again = await ask(key, `long-${stream}`, { body });
        const error = assertRefused(again, { status: 409, code: 'idempotency_answer_not_kept' });
        assert.match(String(error['message']), /1048576 bytes/);
        assert.equal(again.headers.get('x-should-retry'), 'false');
        assert.equal(again.headers.get('retry-after'), null);
      }
      const other = await ask(key, `long-${stream}`);
      if (stream) assertRefused(other, { status: 422, code: 'idempotency_mismatch' });
      assert.equal(sent(), before + 1);
    }
  });

  test('of the largest answer that is kept brings it back', async () => {
    const key = await budgeted();
    const overhead = (await ask(key, 'measured')).text.length - 'Hello from the provider.'.length;
    gateway().provider.script({ kind: 'ok', text: 'x'.repeat(KEPT_ANSWER_BYTES_MAX - overhead) });
    const first = await ask(key, 'largest');
    assert.equal(Buffer.byteLength(first.text), KEPT_ANSWER_BYTES_MAX);
    assertReplayed(await ask(key, 'largest'), first);
  });

  test('works in the sandbox, for keys that cost nothing', async () => {
    const key = await issueKey(gateway(), { kind: 'test' });
    for (const stream of [false, true]) {
      const body = chatBody({ model: 'sandbox/echo', stream });
      const first = await ask(key, `sandbox-${stream}`, { body });
      assert.equal(first.status, 200, first.text);
      assertReplayed(await ask(key, `sandbox-${stream}`, { body }), first);
    }
    assert.equal((await callsOf(gateway(), key)).length, 2);
  });

  test('has visible ASCII characters, 1 to 255, and is sent once', async () => {
    const key = await budgeted();
    const before = sent();
    for (const name of ['a b', 'a'.repeat(256), '\u00fc', '']) {
      const refused = { status: 400, code: 'invalid_request', param: 'idempotency-key' };
      assertRefused(await ask(key, name), refused);
    }
    assert.equal((await ask(key, '~'.repeat(255))).status, 200);
    const twice = await sendRaw(gateway().keyfold.url, {
      target: CHAT,
      headers: [
        ['Authorization', `Bearer ${key.secret}`],
        ['Idempotency-Key', 'twice'],
        ['Idempotency-Key', 'twice'],
      ],
      body: JSON.stringify(chatBody()),
    });
    assertRefused(twice, { status: 400, code: 'invalid_request', param: 'idempotency-key' });
    assert.equal(sent(), before + 1);
  });

  test('never reaches the provider', async () => {
    const key = await budgeted();
    await ask(key, 'not-for-others');
    const { headers } = gateway().provider.calls.at(-1) ?? assert.fail();
    assert.ok(!('idempotency-key' in headers));
    assert.ok(!JSON.stringify(headers).includes('not-for-others'));
  });

  test('keeps its answer sealed, and what was asked and under which name not at all', async () => {
    const key = await budgeted();
    const [name, prompt, text] = ['canary-of-a-name', 'canary-of-a-prompt', 'canary-of-an-answer'];
    gateway().provider.script({ kind: 'ok', text });
    const first = await ask(key, name, {
      body: chatBody({ messages: [{ role: 'user', content: prompt }] }),
    });
    assert.match(first.text, /canary-of-an-answer/);
    const stored = await gateway().keyfold.readStored();
    assert.ok(stored.includes(key.id), 'what is searched is what was stored: the id of the key is there');
    for (const canary of [name, prompt, text]) {
      for (const form of [canary, Buffer.from(canary).toString('base64').slice(2, -4)])
        assert.ok(!stored.includes(form), form);
    }
  });

  test('is forgotten after a day: the same is then a new call', async (context) => {
    const key = await budgeted();
    const first = await ask(key, 'a-day');
    const before = sent();
    let passedMs = DAY_MS - 60_000;
    // oxlint-disable-next-line typescript/unbound-method -- called with its clock
    const { nowMs } = SteadyClock.prototype;
    context.mock.method(SteadyClock.prototype, 'nowMs', function (this: SteadyClock) {
      return nowMs.call(this) + passedMs;
    });
    assertReplayed(await ask(key, 'a-day'), first);
    passedMs = DAY_MS + 1_000;
    const next = await ask(key, 'a-day', { body: chatBody({ temperature: 1 }) });
    assert.equal(next.status, 200, next.text);
    assert.ok(!isReplayed(next));
    assert.equal(sent(), before + 1);
    assertReplayed(await ask(key, 'a-day', { body: chatBody({ temperature: 1 }) }), next);
  });

  test('brings back what a client did not wait for, once the provider had answered', async (context) => {
    const key = await budgeted();
    // oxlint-disable-next-line typescript/unbound-method -- called with its ledger
    const { resolve } = Ledger.prototype;
    const settling = Promise.withResolvers<void>();
    const settled = Promise.withResolvers<void>();
    context.mock.method(
      Ledger.prototype,
      'resolve',
      async function (this: Ledger, ...of: Parameters<typeof resolve>) {
        settling.resolve();
        await settled.promise;
        return resolve.apply(this, of);
      },
    );
    const leave = new AbortController();
    const first = fetchChat(gateway(), { key, name: 'impatient', stream: false, signal: leave.signal });
    await settling.promise;
    leave.abort();
    await first;
    const before = sent();
    settled.resolve();
    const again = await until(async () => {
      const answer = await ask(key, 'impatient', { body: chatBody({ stream: false }) });
      return answer.status === 409 ? undefined : answer;
    });
    assert.ok(isReplayed(again), again.text);
    assert.match(again.text, /Hello from the provider/);
    assert.equal(sent(), before);
    assert.equal((await onlyCall(gateway(), key))['status'], 200);
  });

  test('is kept with a settlement that had to wait for the database', async (context) => {
    const key = await budgeted();
    // oxlint-disable-next-line typescript/unbound-method -- called with its ledger
    const { resolve } = Ledger.prototype;
    const withheld: (() => Promise<boolean>)[] = [];
    context.mock.method(
      Ledger.prototype,
      'resolve',
      function (this: Ledger, ...of: Parameters<typeof resolve>) {
        withheld.push(() => resolve.apply(this, of));
        return Promise.reject(new Fault('unavailable', { internal: 'the database is away' }));
      },
    );
    const first = await ask(key, 'postponed');
    assert.equal(first.status, 200, 'who waits for an answer gets it, kept or not');
    assertInFlight(await ask(key, 'postponed'));
    context.mock.restoreAll();
    for (const write of withheld) assert.equal(await write(), true);
    assertReplayed(await ask(key, 'postponed'), first);
  });
});

function isReplayed(answer: Answer): boolean {
  return answer.headers.get('idempotent-replayed') === 'true';
}

function assertReplayed(answer: Answer, first: Answer, { mayBeReplayed = false } = {}): void {
  assert.equal(answer.status, first.status, answer.text.slice(0, 500));
  assert.equal(answer.text, first.text);
  assert.equal(answer.headers.get('content-type'), first.headers.get('content-type'));
  assert.ok(isReplayed(answer));
  assert.notEqual(answer.headers.get('x-request-id'), first.headers.get('x-request-id'));
  if (mayBeReplayed && isReplayed(first)) return;
  assert.ok(!isReplayed(first));
  assert.equal(answer.headers.get('original-request'), first.headers.get('x-request-id'));
}

function assertInFlight(answer: Answer): void {
  assertRefused(answer, { status: 409, code: 'idempotency_in_flight' });
  assert.equal(answer.headers.get('retry-after'), '1');
  assert.equal(answer.headers.get('x-should-retry'), 'true');
}

async function actionsOf(gateway: Gateway, answer: Answer): Promise<unknown[]> {
  const events = await auditOf(gateway, String(answer.headers.get('x-request-id')));
  return events.map(({ action }) => action);
}

/** Resolves when it is over, however it ended. */
async function fetchChat(
  { keyfold }: Gateway,
  of: {
    readonly key: IssuedKey;
    readonly name: string;
    readonly stream: boolean;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  try {
    const response = await fetch(`${keyfold.url}${CHAT}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${of.key.secret}`,
        'content-type': 'application/json',
        'idempotency-key': of.name,
      },
      body: JSON.stringify(chatBody({ stream: of.stream })),
      signal: of.signal,
    });
    await response.arrayBuffer();
  } catch (error) {
    assert.ok(of.signal.aborted, String(error));
  }
}
