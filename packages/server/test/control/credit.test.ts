import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import type { Answer } from '../keyfold.ts';
import { startMockProvider } from '../mock-provider.ts';
import { addModel, call, chatBody, describeGateway, issueKey, until } from '../gateway/support.ts';
import { assertProblem, findEvent, rowsOf, textAt } from './support.ts';

/** 100 output tokens at 1,000 dollars a million are ten cents; input is free. */
const TEN_CENTS = { name: 'ten-cents', input: '0', output: '1000' };
const BODY = chatBody({ model: TEN_CENTS.name, max_tokens: 100 });
const DAY_MS = 86_400_000;

describeGateway('prepaid credit', {}, (gateway) => {
  const request = (method: string, path: string, body?: object) =>
    gateway().keyfold.request(method, path, body);
  const enter = (body: object): Promise<Answer> => request('POST', '/v1/credits/entries', body);
  const credit = async () => (await request('GET', '/v1/credits')).body;
  const refuse = async (body: object, param: string) => {
    const before = await credit();
    const answer = await enter(body);
    assertProblem(answer, { status: 400, code: 'invalid_request', param });
    assert.deepEqual(await credit(), before, 'nothing changes');
  };

  test('without an account calls are bounded by budgets alone', async () => {
    await addModel(gateway(), TEN_CENTS);
    gateway().provider.behave({ kind: 'ok', tokens: { input: 10, output: 60 } });
    const key = await issueKey(gateway());
    assert.equal((await credit())['enabled'], false);
    assert.equal((await call(gateway(), key.secret, BODY)).status, 200);
    assert.deepEqual(rowsOf(await request('GET', '/v1/credits/entries')), []);
    await refuse({ kind: 'refund', amount: '1' }, 'amount');
  });

  test('amounts, currencies and rates that make no sense are refused by the field, and change nothing', async () => {
    for (const amount of ['-1', '0', 'NaN', '1e309', '1.0000000001', '', 'ten', -1, 1e21, '99999999999']) {
      await refuse({ kind: 'top_up', amount }, 'amount');
    }
    await refuse({ kind: 'gift', amount: '1' }, 'kind');
    for (const code of ['usd', 'XXZ', 'BTC', '']) {
      await refuse({ kind: 'top_up', amount: '1', currency: code }, 'currency');
    }
    await refuse(
      { kind: 'top_up', amount: '1.001', currency: 'CNY', usd_per_unit: '1', rate_source: 's' },
      'amount',
    );
    await refuse({ kind: 'top_up', amount: '1', currency: 'CNY' }, 'usd_per_unit');
    await refuse({ kind: 'top_up', amount: '1', currency: 'CNY', usd_per_unit: '1' }, 'rate_source');
    await refuse({ kind: 'top_up', amount: '1', currency: 'CNY', rate_source: 'a bank' }, 'usd_per_unit');
    await refuse({ kind: 'top_up', amount: '1', usd_per_unit: '2', rate_source: 'a bank' }, 'usd_per_unit');
    for (const rate of ['0', '-1', '1e3', '0.0000000001']) {
      await refuse(
        { kind: 'top_up', amount: '1', currency: 'CNY', usd_per_unit: rate, rate_source: 's' },
        'usd_per_unit',
      );
    }
  });

  test('a top-up in another currency locks its rate and where that is from, whatever the rate becomes', async () => {
    const set = await request('PUT', '/v1/credits/rates/CNY', {
      usd_per_unit: '1',
      source: 'our price list',
    });
    assert.equal(set.status, 200, set.text);
    const paid = await enter({ kind: 'top_up', amount: '0.30', currency: 'CNY', reference: 'pay-1' });
    assert.equal(paid.status, 201, paid.text);
    await request('PUT', '/v1/credits/rates/CNY', { usd_per_unit: '0.14', source: 'a bank' });
    const [entry] = rowsOf(await request('GET', '/v1/credits/entries'));
    assert.deepEqual(entry, paid.body);
    assert.deepEqual(
      ['amount_usd', 'amount', 'currency', 'usd_per_unit', 'rate_source', 'from', 'to'].map(
        (name) => entry?.[name],
      ),
      ['0.30', '0.30', 'CNY', '1.00', 'our price list', 'payments', 'credit'],
    );
    const again = await enter({ kind: 'top_up', amount: '0.30', currency: 'CNY', reference: 'pay-1' });
    assertProblem(again, { status: 409, code: 'conflict', param: 'reference' });
    const event = await findEvent(gateway().keyfold, {
      action: 'credit.entered',
      target: textAt(paid, 'id'),
    });
    assert.equal((event['detail'] as Record<string, unknown>)['credited_usd'], '0.30');
  });

  test('a call is held on the credit as on a budget, and refused with 402 where it has no room', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '100' } });
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(gateway(), key.secret, BODY)));
    const refused = answers.filter(({ status }) => status === 402);
    assert.equal(answers.filter(({ status }) => status === 200).length + refused.length, 50);
    assert.match(refused[0]?.text ?? '', /credit_exhausted/);
    const state = await until(async () => {
      const now = await credit();
      return now['held_usd'] === '0.00' ? now : undefined;
    });
    // Thirty cents: at ten held and six spent a call, four or five of them.
    assert.ok(
      Number(state['posted_usd']) <= 0.3 && Number(state['posted_usd']) >= 0.18,
      JSON.stringify(state),
    );
    const validated = await gateway().keyfold.request('GET', '/v1/keys/validate', undefined, {
      key: key.secret,
    });
    const budgets = validated.body['budgets'] as readonly Record<string, unknown>[];
    assert.equal(
      budgets[0]?.['posted_usd'],
      state['posted_usd'],
      'a call that the credit refuses holds nothing',
    );
    assert.equal((await enter({ kind: 'grant', amount: '1', note: 'sorry' })).status, 201);
    assert.equal((await call(gateway(), key.secret, BODY)).status, 200, 'a grant counts with the next call');
  });

  test('a refund is at most what is left, and an adjustment may take more: then no call goes out', async () => {
    const key = await issueKey(gateway());
    const { remaining_usd: remaining } = await until(async () => {
      const now = await credit();
      return now['held_usd'] === '0.00' ? now : undefined;
    });
    await refuse({ kind: 'refund', amount: String(Number(remaining) + 0.01) }, 'amount');
    const all = await enter({ kind: 'refund', amount: String(remaining) });
    assert.deepEqual([all.status, all.body['from'], all.body['to']], [201, 'credit', 'payments'], all.text);
    const taken = await enter({ kind: 'adjustment', amount: '-5', note: 'charged back' });
    assert.deepEqual([taken.body['amount_usd'], taken.body['to']], ['5.00', 'adjustments'], taken.text);
    assert.equal((await credit())['remaining_usd'], '-5.00');
    assert.equal((await call(gateway(), key.secret, BODY)).status, 402);
    const validated = await gateway().keyfold.request('GET', '/v1/keys/validate', undefined, {
      key: key.secret,
    });
    assert.equal(validated.body['remaining_quota'], 0);
    const test = await issueKey(gateway(), { kind: 'test' });
    assert.equal((await call(gateway(), test.secret, BODY)).status, 200, 'a test key costs nothing');
    assert.equal((await enter({ kind: 'adjustment', amount: '6' })).body['to'], 'credit');
  });

  test('a model without a price is not asked on credit', async () => {
    const key = await issueKey(gateway());
    await addModel(gateway(), { name: 'no-price' });
    const answer = await call(gateway(), key.secret, chatBody({ model: 'no-price' }));
    assert.match(answer.text, /model_unpriced/);
  });

  test('a statement adds up: opening, entries, what calls cost by day, closing; all accounts come to nothing', async () => {
    const today = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS);
    const dates = [today, new Date(today.getTime() + DAY_MS)].map((date) => date.toISOString().slice(0, 10));
    const path = `/v1/credits/statement?from=${dates[0]}&to=${dates[1]}`;
    const { body: statement } = await request('GET', path);
    const state = await credit();
    const { closing_usd: closing, opening_usd: opening } = statement;
    assert.deepEqual([opening, closing], ['0.00', state['remaining_usd']], JSON.stringify(statement));
    const accounts = statement['accounts'] as Record<string, string>;
    assert.equal(accounts['usage'], state['posted_usd']);
    const nanosOf = (usd: string | undefined) => Math.round(Number(usd) * 1e9);
    assert.equal(
      Object.values(accounts).reduce((sum, usd) => sum + nanosOf(usd), 0),
      0,
    );
    const lines = statement['lines'] as Record<string, string>[];
    assert.deepEqual(
      lines.map(({ kind }) => kind),
      ['top_up', 'grant', 'refund', 'adjustment', 'adjustment', 'usage'],
    );
    assert.equal(lines.at(-1)?.['balance_usd'], closing);
    const csv = await request('GET', `${path}&format=csv`);
    assert.match(csv.text, /^at,kind,id,from,to,amount_usd,.*\r\n/);
    assert.equal(csv.text.trim().split('\r\n').length, lines.length + 1);
    const tomorrow = await request('GET', `/v1/credits/statement?from=${dates[1]}&to=2099-01-01`);
    assert.deepEqual([tomorrow.body['opening_usd'], tomorrow.body['lines']], [closing, []]);
    for (const query of [
      'from=2026-02-30&to=2026-03-01',
      'from=2026-03-01&to=2026-03-01',
      'from=x&to=2026-03-01',
    ]) {
      const answer = await request('GET', `/v1/credits/statement?${query}`);
      assertProblem(answer, { status: 400, code: 'invalid_request', param: 'from' });
    }
  });

  test('entries that are made at once are all made, in one order, or refused', async () => {
    const before = Number((await credit())['credited_usd']);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => enter({ kind: 'top_up', amount: '1' })),
    );
    const made = answers.filter(({ status }) => status === 201);
    for (const { status } of answers) assert.ok(status === 201 || status === 409);
    assert.ok(made.length > 0);
    assert.equal(Number((await credit())['credited_usd']), before + made.length);
    const numbers = rowsOf(await request('GET', '/v1/credits/entries?limit=100')).map(({ number }) =>
      Number(number),
    );
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, at) => numbers.length - at),
    );
  });

  test('a key without the permission sees and changes nothing', async () => {
    const key = await issueKey(gateway(), { kind: 'admin', permissions: ['budgets:write'] });
    for (const [method, path, body] of [
      ['GET', '/v1/credits', undefined],
      ['POST', '/v1/credits/entries', { kind: 'grant', amount: '1' }],
      ['PUT', '/v1/credits/rates/EUR', { usd_per_unit: '1', source: 's' }],
    ] as const) {
      const answer = await gateway().keyfold.request(method, path, body, { key: key.secret });
      assert.equal(answer.status, 403, answer.text);
    }
  });
});

describeGateway(
  'an organization that was granted credit at the first start',
  { config: { welcomeCredit: nanos(500_000_000n) } },
  (gateway) => {
    test('spends that, and no more', async () => {
      await using provider = await startMockProvider();
      provider.behave({ kind: 'ok', tokens: { input: 10, output: 100 } });
      await addModel({ keyfold: gateway().keyfold, provider }, TEN_CENTS);
      const key = await issueKey(gateway());
      const statuses: number[] = [];
      for (let each = 0; each < 6; each++) statuses.push((await call(gateway(), key.secret, BODY)).status);
      assert.deepEqual(statuses, [200, 200, 200, 200, 200, 402]);
      const [entry] = rowsOf(await gateway().keyfold.request('GET', '/v1/credits/entries'));
      assert.deepEqual(
        [entry?.['kind'], entry?.['actor'], entry?.['amount_usd']],
        ['grant', 'system', '0.50'],
      );
    });
  },
);
