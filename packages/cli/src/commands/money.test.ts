import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run as runIn } from '../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../test/stand-in-api.ts';

const cwd = mkdtempSync(join(tmpdir(), 'keyfold-cli-'));
let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(async () => {
  await api.close();
  rmSync(cwd, { recursive: true });
});

const run = (argv: readonly string[]) =>
  runIn(argv, { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' }, cwd });
const asList = (...data: readonly object[]) => ({
  body: { object: 'list', data, has_more: false, first_id: null, last_id: null },
});

describe('keyfold reconcile', () => {
  const result = {
    model: 'gpt-4.1-2025-04-14',
    api_key_id: 'key_abc',
    input_tokens: 1_000,
    input_cached_tokens: 100,
    output_tokens: 500,
  };
  const bucket = { start_time: 1_793_491_200, end_time: 1_793_577_600, results: [result] };
  const own = {
    model: 'gpt-4.1',
    credential_id: 'crd_1',
    calls: 5,
    input_tokens: 900,
    cached_input_tokens: 100,
    output_tokens: 400,
    reasoning_tokens: 100,
    cost_usd: '0.01',
  };
  const command = ['reconcile', 'usage.json', '--provider', 'openai', '--from', '2026-11-01'];
  const november = [...command, '--to', '2026-12-01', '--key', 'key_abc=main'];
  before(() => {
    writeFileSync(join(cwd, 'usage.json'), JSON.stringify({ data: [bucket], has_more: false }));
  });

  test('asks for the usage of that provider and time, and finds no drift where there is none', async () => {
    api.reply(asList(own), asList({ id: 'crd_1', name: 'main' }));
    const { code, stdout } = await run(november);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /gpt-4\.1 +main +1000 +1000/);
    const asked = new URL(api.asked[0]?.url ?? '', api.url);
    assert.deepEqual(Object.fromEntries(asked.searchParams), {
      group_by: 'model,credential',
      provider: 'openai',
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-12-01T00:00:00.000Z',
    });
  });

  test('ends with 1 where the sides differ by more than the tolerance', async () => {
    const less = { ...own, output_tokens: 385 };
    api.reply(asList(less), asList({ id: 'crd_1', name: 'main' }));
    const drifted = await run(november);
    assert.equal(drifted.code, 1);
    assert.match(drifted.stderr, /1 of 1 rows differ/);
    api.reply(asList(less), asList({ id: 'crd_1', name: 'main' }));
    assert.equal((await run([...november, '--tolerance-percent', '1'])).code, 0);
  });

  test('compares nothing with an export of another month, with no file, or with another report', async () => {
    api.reply();
    const october = await run([
      'reconcile',
      'usage.json',
      '--provider',
      'openai',
      '--from',
      '2026-10-01',
      '--to',
      '2026-11-01',
    ]);
    assert.equal(october.code, 2);
    assert.match(october.stderr, /another period: it has usage of 2026-11-01/);
    assert.equal((await run(november.with(1, 'none.json'))).code, 2);
    assert.equal((await run(november.with(3, 'anthropic'))).code, 2);
    assert.equal((await run([...command, '--to', 'soon'])).code, 2);
    assert.deepEqual(api.asked, []);
  });
});

describe('keyfold credits and correct', () => {
  test('add enters what was paid, in its currency', async () => {
    api.reply({ status: 201, body: { number: 3, amount_usd: '700.00', from: 'payments', to: 'credit' } });
    const { stdout } = await run([
      'credits',
      'add',
      '--amount',
      '700',
      '--currency',
      'CNY',
      '--reference',
      'pay-1',
    ]);
    assert.deepEqual(api.asked[0]?.body, {
      kind: 'top_up',
      amount: '700',
      currency: 'CNY',
      reference: 'pay-1',
    });
    assert.match(stdout, /Entered no\. 3: 700\.00 USD from payments to credit/);
  });

  test('correct says what is posted', async () => {
    api.reply({
      status: 201,
      body: { previous_cost_usd: '0.06', cost_usd: '0.05', difference_usd: '-0.01' },
    });
    const { stdout } = await run(['correct', 'res_1', '--cost-usd', '0.05', '--reason', 'as invoiced']);
    assert.deepEqual(api.asked[0]?.body, { cost_usd: '0.05', reason: 'as invoiced' });
    assert.match(stdout, /res_1 has cost 0\.05 USD instead of 0\.06: -0\.01 are posted/);
  });

  test('a rolling budget says how long its window is, and of lower ones around it', async () => {
    api.reply({ body: { remaining_usd: '5.00', above: [{ id: 'bud_1' }] } });
    const { stdout } = await run([
      'budgets',
      'set',
      '--scope',
      'project',
      '--period',
      'rolling',
      '--window-seconds',
      '18000',
      '--cap-usd',
      '5',
    ]);
    const body = api.asked[0]?.body as Record<string, unknown>;
    assert.equal(body['window_seconds'], 18_000);
    assert.match(stdout, /1 lower budget/);
  });
});
