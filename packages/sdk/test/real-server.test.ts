/** The SDK against the server itself: what it promises of keys, errors and renewal holds there, under running calls. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { DATABASE_KINDS } from '../../server/test/databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../../server/test/keyfold.ts';
import { type MockProvider, startMockProvider } from '../../server/test/mock-provider.ts';
import {
  AuthenticationError,
  BudgetExhaustedError,
  ConflictError,
  InvalidRequestError,
  KeyManager,
  KeyfoldClient,
  NotFoundError,
  PermissionError,
  RateLimitError,
  RateLimiter,
  type RenewedKey,
  signedFetch,
  toKeyfoldError,
} from '../src/index.ts';
import { ManualTiming } from './manual-timing.ts';

const MODEL = 'stand-in';
const CHAT = { model: MODEL, max_tokens: 10, messages: [{ role: 'user' as const, content: 'Hello' }] };
const [SQLITE] = DATABASE_KINDS;

let keyfold: TestKeyfold;
let provider: MockProvider;
let manager: KeyManager;

before(async () => {
  assert.ok(SQLITE);
  provider = await startMockProvider();
  keyfold = await startTestKeyfold(SQLITE);
  manager = new KeyManager({ baseUrl: `${keyfold.url}/v1`, key: keyfold.adminKey });
  const credential = {
    provider: 'openai-compatible',
    name: MODEL,
    secret: 'sk-stand-in',
    base_url: provider.url,
    allow_networks: ['127.0.0.0/8'],
    models: [MODEL],
  };
  await manager.client.request('POST', '/v1/credentials', { body: credential });
  const price = { input_usd_per_million: '1', output_usd_per_million: '2' };
  await manager.client.request('PUT', `/v1/catalog/models/openai-compatible/${MODEL}`, { body: price });
});

after(async () => {
  await keyfold.stop();
  await provider.stop();
});

function callModel(key: string, body: object = CHAT): Promise<Response> {
  return fetch(`${keyfold.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

describe('keys', () => {
  test('are created, validated with what remains, listed, changed, rotated and revoked', async () => {
    const { client } = manager;
    const created = await manager.create({
      permissions: ['chat', 'completions'],
      rate_limit: 100,
      budgets: { per_day_usd: '5.00' },
      name: 'reports',
    });
    assert.match(created.api_key, /^kf_live_/);
    assert.equal(created.auto_rotate, true);
    const validation = await manager.validate(created.api_key);
    assert.ok(validation.valid);
    assert.deepEqual([validation.remaining_quota, validation.key_id], [100, created.id]);
    assert.equal(validation.budgets[0]?.remaining_usd, '5.00');
    assert.ok((await client.keys.list({ limit: 100 })).data.some(({ id }) => id === created.id));
    assert.equal((await client.keys.update(created.id, { name: null })).name, null);

    const rotated = await manager.rotate(created.id, { graceSeconds: 60 });
    assert.deepEqual([rotated.key_id, rotated.version], [created.id, 2]);
    for (const key of [created.api_key, rotated.new_api_key]) assert.ok((await manager.validate(key)).valid);
    const ended = await client.keys.setVersionEnd(created.id, { version: 1, graceSeconds: 0 });
    assert.deepEqual(
      ended.versions.map(({ version }) => version),
      [2, 1],
    );
    const old = await manager.validate(created.api_key);
    assert.ok(!old.valid && old.error.code === 'key_expired');

    assert.ok((await client.keys.verify({ key: rotated.new_api_key, permission: 'chat', cost: '1' })).valid);
    assert.ok((await client.keys.revoke(created.id)).revoked_at !== null);
    const gone = await manager.validate(rotated.new_api_key);
    assert.ok(!gone.valid && gone.error.code === 'key_revoked');
  });

  test('are made once however often the same request comes', async () => {
    const options = { idempotencyKey: 'the-same-order' };
    const first = await manager.create({ permissions: ['chat'] }, options);
    const second = await manager.create({ permissions: ['chat'] }, options);
    assert.deepEqual(second, first);
    await assert.rejects(manager.create({ permissions: ['embeddings'] }, options), ConflictError);
  });

  test('make short-lived children', async () => {
    const parent = await manager.create({ permissions: ['chat'] });
    const own = manager.client.withKey(parent.api_key);
    const child = await own.keys.createChild({ ttl_seconds: 60, name: 'one task' });
    assert.equal(child.parent_id, parent.id);
    assert.ok((await manager.validate(child.api_key)).valid);
    await assert.rejects(own.keys.createChild({ permissions: ['embeddings'] }), PermissionError);
  });

  test('that leak are contained at once', async () => {
    const { api_key: leaked, id } = await manager.create({ permissions: ['chat'] });
    const leak = await manager.client.leaks.report({ secret: leaked, url: 'https://example.org/paste' });
    assert.equal(leak.key_id, id);
    assert.notEqual(leak.action, 'none');
    assert.ok(!(await manager.validate(leaked)).valid);
  });

  test('sign, and go on signing while the signing secret is rotated', async () => {
    const signing = { required: true, versions: ['2'] } as const;
    const created = await manager.create({ permissions: ['chat'], signing });
    const unsigned = await manager.validate(created.api_key);
    assert.ok(!unsigned.valid && unsigned.error.code === 'invalid_signature');
    let signingSecret = created.signing_secret ?? assert.fail('no signing secret');
    const sign = signedFetch({ version: '2', keyId: created.id, signingSecret: () => signingSecret });
    const client = new KeyfoldClient({ baseUrl: keyfold.url, fetch: sign });
    assert.ok((await client.keys.validate()).valid);
    const rotated = await manager.client.keys.rotateSigningSecret(created.id);
    assert.ok((await client.keys.validate()).valid);
    signingSecret = rotated.signing_secret ?? assert.fail('no new signing secret');
    assert.ok((await client.keys.validate()).valid);
    const openai = new OpenAI({ baseURL: `${keyfold.url}/v1`, apiKey: 'unused', fetch: sign, maxRetries: 0 });
    const answer = await openai.chat.completions.create(CHAT);
    assert.equal(answer.choices[0]?.message.content, 'Hello from the provider.');
  });
});

describe('errors', () => {
  test('of the management API have their class, code and place', async () => {
    const { client } = manager;
    await assert.rejects(client.keys.get('key_unknown'), NotFoundError);
    await assert.rejects(client.keys.create({ permissions: [] }), (error) => {
      assert.ok(error instanceof InvalidRequestError);
      assert.deepEqual([error.code, error.param], ['invalid_request', 'permissions']);
      assert.match(error.requestId ?? '', /^req_/);
      return true;
    });
    const { api_key: key } = await manager.create({ permissions: ['chat'] });
    await assert.rejects(client.withKey(key).keys.list(), PermissionError);
    await assert.rejects(client.withKey(`${key.slice(0, -1)}x`).keys.list(), AuthenticationError);
  });

  test('of model calls tell which budget or limit refused, and what to do', async () => {
    const poor = await manager.create({ permissions: ['chat'], budgets: { per_day_usd: '0' } });
    const refused = await toKeyfoldError(await callModel(poor.api_key));
    assert.ok(refused instanceof BudgetExhaustedError);
    assert.deepEqual(
      [refused.facts['scope'], refused.facts['period'], refused.shouldRetry],
      ['key', 'day', false],
    );
    const slow = await manager.create({ permissions: ['chat'], rate_limit: 1 });
    assert.equal((await callModel(slow.api_key)).status, 200);
    const limited = await toKeyfoldError(await callModel(slow.api_key));
    assert.ok(limited instanceof RateLimitError);
    assert.ok(limited.shouldRetry && (limited.retryAfterMs ?? 0) > 0);
  });
});

describe('a renewing key', () => {
  test('renews itself when its time has come', async () => {
    const created = await manager.create({ permissions: ['chat'], rotation_interval: 60 });
    const timing = new ManualTiming({ startMs: Date.now(), random: () => 0 });
    const { promise: renewal, resolve: onRenewed } = Promise.withResolvers<RenewedKey>();
    const options = { key: created.api_key, timing, onRenewed };
    await using key = await manager.renewing(options);
    const lifeMs = (key.expiresAt?.getTime() ?? 0) - timing.nowMs();
    assert.ok(Math.abs(lifeMs - 360_000) < 10_000);
    await timing.advance(0.8 * lifeMs + 100);
    const { keyId, version, key: next } = await renewal;
    assert.deepEqual([keyId, version], [created.id, 2]);
    const validation = await manager.validate(next);
    assert.ok(validation.valid);
    await key.stop();
    assert.equal(key.current(), next);
  });

  test('is swapped under running calls, and not one of them fails', async () => {
    const graceSeconds = 1;
    const created = await manager.create({ permissions: ['chat'], name: 'busy' });
    const stored: string[] = [];
    await using key = await manager.renewing({
      key: created,
      graceSeconds,
      onRenewed: (renewed) => void stored.push(renewed.key),
      onFailure: ({ error }) => assert.fail(String(error)),
    });
    const openai = new OpenAI({
      baseURL: `${keyfold.url}/v1`,
      apiKey: 'unused',
      fetch: key.fetch,
      maxRetries: 0,
    });
    const used = new Set<string>();
    const over = new AbortController();
    let calls = 0;
    const callOnAndOn = async (stream: boolean) => {
      while (!over.signal.aborted) {
        used.add(key.current());
        if (stream) {
          let text = '';
          for await (const chunk of await openai.chat.completions.create({ ...CHAT, stream })) {
            text += chunk.choices[0]?.delta.content ?? '';
          }
          assert.equal(text, 'Hello from the provider.');
        } else {
          const answer = await openai.chat.completions.create(CHAT);
          assert.equal(answer.choices[0]?.message.content, 'Hello from the provider.');
        }
        calls++;
      }
    };
    const before = provider.calls.length;
    const callers = Array.from({ length: 8 }, (_, index) => callOnAndOn(index % 2 === 0));
    for (let renewals = 0; renewals < 3; renewals++) {
      const old = key.current();
      await Promise.all([key.renew(), key.renew(), key.renew()]);
      assert.notEqual(key.current(), old);
      // The next renewal has to wait for the end of this one's grace; calls go on meanwhile.
      while ((await manager.validate(old)).valid) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    over.abort();
    await Promise.all(callers);
    assert.equal(stored.length, 3);
    assert.deepEqual([...used], [created.api_key, ...stored]);
    assert.equal(provider.calls.length - before, calls);
    const { versions } = await manager.client.keys.get(created.id);
    assert.equal(versions.length, 4);
    const [, ...replaced] = versions;
    assert.ok(replaced.every(({ uses }) => uses > 0));
  });

  test('is not lost with the answer that brought it, and not made twice', async () => {
    const created = await manager.create({ permissions: ['chat'] });
    let lost = 0;
    const lossy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      const { pathname } = new URL(response.url);
      if (!pathname.endsWith('/rotate') || lost++ >= 2) return response;
      await response.text();
      throw new TypeError('the connection broke');
    };
    const timing = new ManualTiming({ startMs: Date.now(), instantBelowMs: 20_000 });
    await using key = await manager.renewing({ key: created, fetch: lossy, timing });
    await key.renew();
    assert.equal(lost, 3);
    const validation = await manager.validate(key.current());
    assert.ok(validation.valid);
    const { versions } = await manager.client.keys.get(created.id);
    assert.equal(versions.length, 2);
  });

  test('that has ended takes over what another holder has stored', async () => {
    const created = await manager.create({ permissions: ['chat'] });
    let stored = created.api_key;
    await using first = await manager.renewing({
      key: created,
      graceSeconds: 0,
      onRenewed: ({ key }) => void (stored = key),
    });
    await using second = await manager.renewing({ key: created, reload: () => stored, reloadOnly: true });
    await first.renew();
    const url = `${keyfold.url}/v1/chat/completions`;
    const answer = await second.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(CHAT),
    });
    assert.equal(answer.status, 200);
    assert.equal(second.current(), first.current());
  });

  test('that may not renew itself says so', async () => {
    const created = await manager.create({ permissions: ['chat'], auto_rotate: false });
    await using key = await manager.renewing({ key: created });
    assert.equal(key.expiresAt, undefined);
    await assert.rejects(key.renew(), PermissionError);
  });
});

describe('a rate limiter', () => {
  test('counts what the gateway says that a call has used and cost', async () => {
    const { api_key: key } = await manager.create({ permissions: ['chat'] });
    const limiter = new RateLimiter({
      limits: { requestsPerMinute: 100, tokensPerMinute: 10_000, costPerDayUsd: '0.01' },
      prices: { [MODEL]: { inputUsdPerMillion: '1', outputUsdPerMillion: '2' } },
    });
    const estimate = { model: MODEL, inputTokens: 50, outputTokens: 10 };
    await limiter.run(estimate, async (lease) => {
      const response = await callModel(key);
      const { usage } = (await response.json()) as { usage: { total_tokens: number } };
      const costUsd = response.headers.get('x-keyfold-cost-usd') ?? undefined;
      lease.settle({ tokens: usage.total_tokens, costUsd });
    });
    const { costToday, tokensThisMinute } = limiter.report();
    assert.equal(tokensThisMinute.used, 15);
    assert.equal(costToday.spentUsd, '0.00002');
    assert.equal(costToday.heldUsd, '0.00');
  });
});
