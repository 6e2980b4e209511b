import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Answer, Body } from '../keyfold.ts';
import type { Behaviour } from '../mock-provider.ts';
import {
  type Gateway,
  type IssuedKey,
  addModel,
  assertNothingHeld,
  assertRefused,
  assertSaysNothing,
  auditOf,
  budgetsOf,
  call,
  chatBody,
  describeGateway,
  issueKey,
  onlyCall,
  until,
} from './support.ts';

const HEADERS_TIMEOUT_MS = 300;
const CONFIG = { providerHeadersTimeoutMs: HEADERS_TIMEOUT_MS };
/** A model whose answers have at most 100 tokens, at one dollar a million in and two out. */
const BOUNDED = { name: 'bounded', input: '1', output: '2', contextTokens: 100_000, outputTokensMax: 100 };

interface Expected {
  readonly status: number;
  readonly code: string;
  readonly error: string;
  /** What the ledger makes of it: nothing was generated, nothing is known and the hold is spent, nothing was sent. */
  readonly charge: 'nothing' | 'hold' | 'released';
  readonly flags?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

const FAULTS: readonly [string, Behaviour, Expected][] = [
  [
    'answers 500',
    { kind: 'status', status: 500 },
    { status: 502, code: 'provider_error', error: 'provider_server', charge: 'nothing' },
  ],
  [
    'is overloaded',
    { kind: 'status', status: 503 },
    { status: 502, code: 'provider_error', error: 'provider_overload', charge: 'nothing' },
  ],
  [
    'answers 429 with retry-after',
    { kind: 'status', status: 429, headers: { 'retry-after': '17' } },
    {
      status: 429,
      code: 'rate_limit_exceeded',
      error: 'provider_rate_limit',
      charge: 'nothing',
      headers: { 'retry-after': '17' },
    },
  ],
  [
    "refuses Keyfold's credential with 401",
    { kind: 'status', status: 401 },
    { status: 502, code: 'provider_error', error: 'provider_credential', charge: 'nothing' },
  ],
  [
    'does not know the model',
    { kind: 'status', status: 404 },
    { status: 404, code: 'model_not_found', error: 'provider_model', charge: 'nothing' },
  ],
  [
    'refuses the request with 400',
    { kind: 'status', status: 400 },
    { status: 400, code: 'invalid_request', error: 'provider_request', charge: 'nothing' },
  ],
  [
    'answers 200 with garbage',
    { kind: 'garbage' },
    {
      status: 502,
      code: 'provider_error',
      error: 'provider_error',
      charge: 'hold',
      flags: ['usage_unreadable', 'estimated'],
    },
  ],
  [
    'answers 200 with an HTML page',
    { kind: 'html' },
    {
      status: 502,
      code: 'provider_error',
      error: 'provider_error',
      charge: 'hold',
      flags: ['usage_unreadable', 'estimated'],
    },
  ],
  [
    'redirects',
    { kind: 'status', status: 307, headers: { location: 'http://169.254.169.254/latest/meta-data' } },
    {
      status: 502,
      code: 'provider_error',
      error: 'provider_error',
      charge: 'hold',
      flags: ['usage_missing', 'estimated'],
    },
  ],
  [
    'breaks the connection',
    { kind: 'reset' },
    {
      status: 502,
      code: 'provider_error',
      error: 'provider_error',
      charge: 'hold',
      flags: ['estimated'],
    },
  ],
  [
    'takes the call and never answers',
    { kind: 'hang' },
    {
      status: 504,
      code: 'provider_timeout',
      error: 'provider_timeout',
      charge: 'hold',
      flags: ['estimated'],
    },
  ],
];

const USAGE: readonly [string, Behaviour, readonly string[]][] = [
  ['none', { kind: 'no-usage' }, ['usage_missing', 'estimated']],
  ['a negative one', { kind: 'negative-usage' }, ['usage_negative', 'estimated']],
  [
    'one of text',
    usage({ prompt_tokens: '10', completion_tokens: '5' }),
    ['usage_not_a_number', 'estimated'],
  ],
  [
    'one of fractions',
    usage({ prompt_tokens: 0.5, completion_tokens: 0.5 }),
    ['usage_malformed', 'estimated'],
  ],
  ['one without output', usage({ prompt_tokens: 10 }), ['usage_missing', 'estimated']],
  ['one that is a list', usage([10, 5]), ['usage_malformed', 'estimated']],
  [
    'one beyond all numbers',
    usageText('{"prompt_tokens":10,"completion_tokens":1e999}'),
    ['usage_not_finite', 'estimated'],
  ],
  [
    'one that counts the same thing twice',
    usageText('{"prompt_tokens":10,"completion_tokens":5,"completion_tokens":1}'),
    ['usage_malformed', 'estimated'],
  ],
  [
    'there twice',
    usageText('{"prompt_tokens":10,"completion_tokens":5},"usage":{"prompt_tokens":1,"completion_tokens":1}'),
    ['usage_malformed', 'estimated'],
  ],
  [
    'one of ten times the output that the model can have',
    usage({ prompt_tokens: 10, completion_tokens: 1_000 }),
    ['usage_impossible', 'estimated'],
  ],
];

describeGateway('when the provider', { config: CONFIG }, (gateway) => {
  for (const [name, behaviour, expected] of FAULTS) {
    for (const stream of [false, true]) {
      test(`${name}${stream ? ', asked for a stream' : ''}, the client is told ${expected.status} ${expected.code}`, async () => {
        const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
        const before = gateway().provider.calls.length;
        gateway().provider.script(behaviour);
        const answer = await call(gateway(), key.secret, chatBody({ stream }));
        const told = { status: expected.status, code: expected.code };
        assertRefused(answer, told);
        for (const [header, value] of Object.entries(expected.headers ?? {}))
          assert.equal(answer.headers.get(header), value);
        assert.equal(gateway().provider.calls.length, before + 1, 'tried once');
        await assertBooked(gateway(), { key, answer, expected });
      });
    }
  }

  test('cannot be reached, the money is released since nothing was sent', async () => {
    const port = await closedPort();
    await addModel(gateway(), { ...BOUNDED, name: 'away', baseUrl: `http://127.0.0.1:${port}/v1` });
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    const answer = await call(gateway(), key.secret, chatBody({ model: 'away' }));
    assertRefused(answer, { status: 502, code: 'provider_error' });
    const expected = { status: 502, code: '', error: 'provider_error', charge: 'released' } as const;
    await assertBooked(gateway(), { key, answer, expected });
  });

  for (const [name, behaviour, flags] of USAGE) {
    test(`reports usage and it is ${name}, the answer passes, and the whole hold is charged and flagged`, async () => {
      await addBounded(gateway());
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      gateway().provider.script(behaviour);
      const answer = await call(gateway(), key.secret, chatBody({ model: BOUNDED.name }));
      assert.equal(answer.status, 200, answer.text);
      const row = await assertBooked(gateway(), {
        key,
        answer,
        expected: { status: 200, charge: 'hold', flags },
      });
      assert.equal(answer.headers.get('x-keyfold-cost-usd'), row['cost_usd']);
    });

    test(`reports usage in a stream and it is ${name}, the whole hold is charged and flagged`, async () => {
      await addBounded(gateway());
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      gateway().provider.script(behaviour);
      const answer = await call(gateway(), key.secret, chatBody({ model: BOUNDED.name, stream: true }));
      assert.equal(answer.status, 200, answer.text);
      assert.ok(answer.text.endsWith('data: [DONE]\n\n'), answer.text);
      await assertBooked(gateway(), { key, answer, expected: { status: 200, charge: 'hold', flags } });
    });
  }

  test('reports more output than was asked for, it is posted in full and flagged, and the next call finds it', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '0.003' } });
    gateway().provider.script({ kind: 'ok', tokens: { input: 10, output: 2_000 } });
    const answer = await call(gateway(), key.secret);
    assert.equal(answer.status, 200, answer.text);
    const row = await onlyCall(gateway(), key);
    assert.deepEqual(
      [row['cost_usd'], row['flags'], row['provenance']],
      ['0.00401', ['overrun'], 'provider'],
    );
    const [budget] = await budgetsOf(gateway(), key);
    assert.deepEqual([budget?.['posted_usd'], Number(budget?.['held_usd'])], ['0.00401', 0]);
    assertRefused(await call(gateway(), key.secret), { status: 402, code: 'budget_exhausted' });
  });

  test('reports more input than was sent, and no more than the model may read, it is posted in full and flagged', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    gateway().provider.script({ kind: 'ok', tokens: { input: 100_000, output: 1 } });
    assert.equal((await call(gateway(), key.secret)).status, 200);
    const row = await onlyCall(gateway(), key);
    assert.deepEqual(
      [row['cost_usd'], row['flags'], row['provenance']],
      ['0.100002', ['overrun'], 'provider'],
    );
  });

  for (const stream of [false, true]) {
    test(`reports ten times the input that the model can read${stream ? ', in a stream' : ''}, what it can read is charged, and flagged`, async () => {
      await addBounded(gateway());
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      gateway().provider.script({ kind: 'ok', tokens: { input: 1_000_000, output: 5 } });
      const body = chatBody({ model: BOUNDED.name, stream });
      assert.equal((await call(gateway(), key.secret, body)).status, 200);
      const row = await onlyCall(gateway(), key);
      assert.deepEqual(
        [row['cost_usd'], row['flags'], row['provenance']],
        ['0.10001', ['usage_impossible', 'estimated', 'overrun'], 'estimated'],
      );
    });
  }

  for (const stream of [false, true]) {
    const where = stream ? ' in a stream' : '';
    test(`reports usage of zero${where}, zero is what is charged`, async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      gateway().provider.script({ kind: 'ok', tokens: { input: 0, output: 0 } });
      assert.equal((await call(gateway(), key.secret, chatBody({ stream }))).status, 200);
      const row = await onlyCall(gateway(), key);
      assert.deepEqual([Number(row['cost_usd']), row['flags'], row['provenance']], [0, [], 'provider']);
    });

    test(`reports usage of NaN${where}, which is no JSON, the whole hold is charged and flagged`, async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      gateway().provider.script(usageText('{"prompt_tokens":10,"completion_tokens":NaN}'));
      const answer = await call(gateway(), key.secret, chatBody({ stream }));
      const ending = stream
        ? { status: 200, flags: ['usage_malformed', 'estimated'] }
        : { status: 502, flags: ['usage_unreadable', 'estimated'], error: 'provider_error' };
      await assertBooked(gateway(), { key, answer, expected: { ...ending, charge: 'hold' } });
    });
  }

  test('reports the same usage twice in a stream, it is charged once', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    gateway().provider.script({ ...usageText('{"prompt_tokens":10,"completion_tokens":5}'), times: 2 });
    assert.equal((await call(gateway(), key.secret, chatBody({ stream: true }))).status, 200);
    const row = await onlyCall(gateway(), key);
    assert.deepEqual([row['cost_usd'], row['flags'], row['provenance']], ['0.00002', [], 'provider']);
  });

  test('takes back in a stream what it has reported, neither is believed: the whole hold is charged and flagged', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    const report = (output: number) => {
      const usage = { prompt_tokens: 10, completion_tokens: output };
      return `data: ${JSON.stringify({ id: 'c', choices: [], usage })}\n\n`;
    };
    const pieces = [report(5), report(1), report(5), 'data: [DONE]\n\n'];
    gateway().provider.script({ kind: 'raw-stream', pieces });
    const answer = await call(gateway(), key.secret, chatBody({ stream: true }));
    const flags = ['usage_malformed', 'estimated'];
    await assertBooked(gateway(), { key, answer, expected: { status: 200, charge: 'hold', flags } });
  });

  for (const wantsUsage of [false, true]) {
    test(`breaks off a stream in the middle of an event${wantsUsage ? ' and usage was asked for' : ''}, the client reads an error at its end and the hold is charged`, async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      gateway().provider.script({ kind: 'half-stream' });
      const options = wantsUsage ? { stream_options: { include_usage: true } } : {};
      const answer = await call(gateway(), key.secret, chatBody({ stream: true, ...options }));
      assert.equal(answer.status, 200);
      assertSaysNothing(answer.text);
      const events = answer.text.split('\n\n').filter((event) => event.trim() !== '');
      const { error } = JSON.parse((events.at(-1) ?? '').slice('data: '.length)) as { error: Body };
      assert.equal(error['code'], 'provider_error', answer.text);
      assert.ok(!answer.text.includes('[DONE]'));
      const flags = ['usage_missing', 'estimated'];
      await assertBooked(gateway(), {
        key,
        answer,
        expected: { status: 200, error: 'provider_error', charge: 'hold', flags },
      });
    });
  }

  test('ends a stream early without a fault of the connection, the hold is charged', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    const pieces = ['data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'];
    gateway().provider.script({ kind: 'raw-stream', pieces });
    const answer = await call(gateway(), key.secret, chatBody({ stream: true }));
    assert.ok(answer.text.startsWith(pieces.join('')));
    assert.match(answer.text, /"code":"provider_error"/);
    const flags = ['usage_missing', 'estimated'];
    await assertBooked(gateway(), {
      key,
      answer,
      expected: { status: 200, error: 'stream_cut', charge: 'hold', flags },
    });
  });

  for (const [stream, behaviour] of [
    [false, { kind: 'hang' }],
    [true, { kind: 'hang' }],
    [true, { kind: 'stalled-stream' }],
  ] as const) {
    test(`is ${behaviour.kind === 'hang' ? 'thinking' : 'streaming'} and the client leaves${stream ? ' its stream' : ''}, the provider is told to stop and the hold is charged`, async () => {
      const key = await issueKey(gateway(), {
        budgets: { total_usd: '1' },
        limits: { concurrent_requests: 1 },
      });
      const { provider, keyfold } = gateway();
      const [arrived, abandoned] = [provider.calls.length, provider.abandoned];
      provider.script(behaviour);
      const leave = new AbortController();
      const request = fetch(`${keyfold.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key.secret}`, 'content-type': 'application/json' },
        body: JSON.stringify(chatBody({ stream })),
        signal: leave.signal,
      });
      await provider.arrived(arrived + 1);
      if (behaviour.kind === 'stalled-stream') await (await request).body?.getReader().read();
      leave.abort();
      await request.catch(() => undefined);
      await until(() => (provider.abandoned > abandoned ? true : undefined));
      const row = await onlyCall(gateway(), key);
      assert.deepEqual([row['status'], row['error'], row['outcome']], [499, 'client_gone', 'settlement']);
      assert.equal(row['cost_usd'], row['held_usd']);
      assert.ok((row['flags'] as string[]).includes('estimated'));
      await assertNothingHeld(gateway(), key);
      const events = await auditOf(gateway(), String(row['request_id']));
      assert.deepEqual(
        events.map((event) => event['action']),
        ['call.opened', 'call.settled'],
      );
      assert.equal((await call(gateway(), key.secret)).status, 200, 'its place is free again');
    });
  }
});

function usageText(usage: string): Extract<Behaviour, { kind: 'usage-text' }> {
  return { kind: 'usage-text', usage };
}

function usage(value: unknown): Behaviour {
  return { kind: 'usage', usage: value };
}

const bounded = new WeakSet<Gateway>();

async function addBounded(gateway: Gateway): Promise<void> {
  if (bounded.has(gateway)) return;
  bounded.add(gateway);
  await addModel(gateway, BOUNDED);
}

/** The call's row, its audit records and its budget all say the same, and nothing is held any more. */
async function assertBooked(
  gateway: Gateway,
  of: {
    readonly key: IssuedKey;
    readonly answer: Answer;
    readonly expected: Pick<Expected, 'status' | 'charge' | 'flags'> & { readonly error?: string };
  },
): Promise<Body> {
  const { key, answer, expected } = of;
  const row = await onlyCall(gateway, key);
  const requestId = answer.headers.get('x-request-id') ?? '';
  assert.equal(row['request_id'], requestId);
  assert.equal(row['error'], expected.error ?? null);
  assert.deepEqual(row['flags'], expected.flags ?? []);
  assert.equal(row['outcome'], expected.charge === 'released' ? 'release' : 'settlement');
  assert.notEqual(Number(row['held_usd']), 0);
  if (expected.charge === 'hold') assert.equal(row['cost_usd'], row['held_usd']);
  else assert.equal(Number(row['cost_usd']), 0);

  const [budget] = await budgetsOf(gateway, key);
  assert.deepEqual([budget?.['posted_usd'], Number(budget?.['held_usd'])], [row['cost_usd'], 0]);

  const events = await auditOf(gateway, requestId);
  const closed = expected.charge === 'released' ? 'call.released' : 'call.settled';
  assert.deepEqual(
    events.map((event) => event['action']),
    ['call.opened', closed],
  );
  const last = events[1];
  assert.equal(last?.['cost_usd'], row['cost_usd']);
  assert.equal(last?.['actor'], key.id);
  const detail = last?.['detail'] as Body;
  assert.equal(detail['error'], expected.error);
  assert.deepEqual(detail['flags'] ?? [], expected.flags ?? []);
  // The status of the books is the status that the client got.
  assert.equal(row['status'], answer.status);
  return row;
}

async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
