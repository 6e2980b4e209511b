import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  type Gateway,
  type IssuedKey,
  assertRefused,
  auditOf,
  call,
  callsOf,
  chatBody,
  describeGateway,
  issueKey,
  until,
} from './support.ts';

const LIMIT = 100;
const CALLS = 500;

describeGateway('a rate limit', {}, (gateway) => {
  test('of 100 a minute lets 100 of 500 calls at once through to the provider, and tells the others when to come back', async (context) => {
    const key = await issueKey(gateway(), { rate_limit: LIMIT });
    const before = gateway().provider.calls.length;
    const clock = stopClock();
    const answers = await Promise.all(Array.from({ length: CALLS }, () => call(gateway(), key.secret)));
    clock.mock.restore();
    const passed = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    assert.deepEqual([passed.length, refused.length], [LIMIT, CALLS - LIMIT]);
    assert.equal(gateway().provider.calls.length - before, LIMIT);
    context.diagnostic(`the provider saw ${LIMIT} of ${CALLS} calls`);

    const remaining = passed.map(({ headers }) => Number(headers.get('x-ratelimit-remaining-requests')));
    assert.deepEqual(
      remaining.sort((a, b) => a - b),
      Array.from({ length: LIMIT }, (_, index) => index),
    );
    for (const answer of refused) {
      const error = assertRefused(answer, { status: 429, code: 'rate_limit_exceeded' });
      assert.deepEqual([error['limit'], error['limit_value']], ['requests_per_minute', LIMIT]);
      assert.equal(answer.headers.get('retry-after'), '1');
      assert.equal(answer.headers.get('x-ratelimit-limit-requests'), String(LIMIT));
      assert.equal(answer.headers.get('x-ratelimit-remaining-requests'), '0');
      assert.match(answer.headers.get('x-ratelimit-reset-requests') ?? '', /^\d+(\.\d+)?s$/);
    }
    const requestId = refused[0]?.headers.get('x-request-id') ?? '';
    await until(() => recorded(gateway(), requestId));
    const rows = await callsOf(gateway(), key);
    assert.equal(rows.length, LIMIT, 'a refused call leaves no row');
  });

  test('of tokens counts what a call may use until it is known what it did use', async () => {
    const key = await issueKey(gateway(), { limits: { tokens_per_minute: 300 } });
    const clock = stopClock();
    try {
      // Each may use more than a third of the limit and uses 15 tokens: what was taken too much comes back.
      for (let turn = 0; turn < 10; turn++) {
        const answer = await call(gateway(), key.secret, chatBody({ max_tokens: 100 }));
        assert.equal(answer.status, 200, answer.text);
      }
      const refused = await call(gateway(), key.secret, chatBody({ max_tokens: 200 }));
      const error = assertRefused(refused, { status: 429, code: 'rate_limit_exceeded' });
      assert.deepEqual([error['limit'], error['limit_value']], ['tokens_per_minute', 300]);
      assert.ok(Number(refused.headers.get('retry-after')) >= 1);
      assert.equal(refused.headers.get('x-ratelimit-remaining-tokens'), '150');
      assert.equal((await call(gateway(), key.secret, chatBody({ max_tokens: 50 }))).status, 200);
    } finally {
      clock.mock.restore();
    }
  });

  test('of tokens that a call can never keep is said to be that, without a time to come back', async () => {
    const key = await issueKey(gateway(), { limits: { tokens_per_minute: 300, requests_per_minute: 10 } });
    const before = gateway().provider.calls.length;
    const refused = await call(gateway(), key.secret, chatBody({ max_tokens: 1_000 }));
    assertRefused(refused, { status: 429, code: 'rate_limit_exceeded' });
    assert.equal(refused.headers.get('retry-after'), null);
    assert.equal(refused.headers.get('x-should-retry'), 'false');
    assert.equal(refused.headers.get('x-ratelimit-remaining-requests'), '10', 'all limits at once, or none');
    assert.equal(gateway().provider.calls.length, before);
  });

  test('of concurrent calls frees a place when a call ends', async () => {
    const key = await issueKey(gateway(), { limits: { concurrent_requests: 2, requests_per_minute: 100 } });
    const { provider } = gateway();
    const before = provider.calls.length;
    provider.script({ kind: 'stalled-stream' }, { kind: 'stalled-stream' });
    const running = [openStream(gateway(), key), openStream(gateway(), key)];
    await provider.arrived(before + 2);
    const refused = await call(gateway(), key.secret);
    const error = assertRefused(refused, { status: 429, code: 'concurrency_exceeded' });
    assert.deepEqual([error['limit'], error['limit_value']], ['concurrent_requests', 2]);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(provider.calls.length, before + 2);
    running[0]?.abort();
    await until(async () => ((await call(gateway(), key.secret)).status === 200 ? true : undefined));
    running[1]?.abort();
  });

  test('that is changed holds from the next call on, with what was used carried over', async () => {
    const key = await issueKey(gateway(), { rate_limit: 2 });
    const clock = stopClock();
    try {
      const use = async () => (await call(gateway(), key.secret)).status;
      assert.deepEqual([await use(), await use(), await use()], [200, 200, 429]);
      const raised = await gateway().keyfold.request('PATCH', `/v1/keys/${key.id}`, { rate_limit: 3 });
      assert.equal(raised.status, 200, raised.text);
      assert.deepEqual([await use(), await use()], [200, 429]);
    } finally {
      clock.mock.restore();
    }
  });
});

/** The clock of the limits stands still, so that nothing is refilled while a test runs. */
function stopClock() {
  const nowMs = systemClock.monotonicMs();
  return mock.method(systemClock, 'monotonicMs', () => nowMs);
}

async function recorded(gateway: Gateway, requestId: string): Promise<true | undefined> {
  const [event] = await auditOf(gateway, requestId);
  return event?.['action'] === 'call.refused' ? true : undefined;
}

function openStream({ keyfold }: Gateway, key: IssuedKey): AbortController {
  const leave = new AbortController();
  const request = fetch(`${keyfold.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key.secret}`, 'content-type': 'application/json' },
    body: JSON.stringify(chatBody({ stream: true })),
    signal: leave.signal,
  });
  request.catch(() => undefined);
  return leave;
}
