import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addModel,
  call,
  callsOf,
  chatBody,
  describeGateway,
  issueKey,
  onlyCall,
} from '../gateway/support.ts';
import { assertProblem, findEvent, rowsOf, textAt } from './support.ts';

/** 60 output tokens at 1,000 dollars a million are six cents; input is free. */
const SIX_CENTS = { name: 'six-cents', input: '0', output: '1000' };
const BODY = chatBody({ model: SIX_CENTS.name, max_tokens: 100 });

describeGateway('corrections', {}, (gateway) => {
  let isPriced = false;
  const request = (method: string, path: string, body?: object) =>
    gateway().keyfold.request(method, path, body);
  const correct = (id: unknown, body: object) => request('POST', `/v1/calls/${String(id)}/corrections`, body);
  const settledCall = async () => {
    if (!isPriced) await addModel(gateway(), SIX_CENTS);
    isPriced = true;
    gateway().provider.behave({ kind: 'ok', tokens: { input: 10, output: 60 } });
    const key = await issueKey(gateway(), { budgets: { total_usd: '1', per_day_usd: '1' } });
    assert.equal((await call(gateway(), key.secret, BODY)).status, 200);
    return { key, row: await onlyCall(gateway(), key) };
  };
  const postedOf = async (keyId: string) => {
    const rows = rowsOf(await request('GET', `/v1/budgets?scope_id=${keyId}`));
    return rows.map((row) => row['posted_usd']);
  };
  const usageOf = async (keyId: string) => {
    const [sum] = rowsOf(await request('GET', `/v1/usage?key_id=${keyId}`));
    return [sum?.['calls'], sum?.['cost_usd'], sum?.['output_tokens']];
  };

  for (const [what, cost, difference] of [
    ['more', '0.075', '0.015'],
    ['less', '0.01', '-0.05'],
    ['nothing', '0', '-0.06'],
  ] as const) {
    test(`that make a call cost ${what} are rows of their own, posted on its budgets and in every report`, async () => {
      const { key, row } = await settledCall();
      const later = await request('PUT', '/v1/budgets', {
        scope: 'key',
        scope_id: key.id,
        period: 'month',
        cap_usd: '1',
      });
      assert.equal(later.status, 200, later.text);
      const made = await correct(row['id'], { cost_usd: cost, reason: 'as invoiced' });
      assert.equal(made.status, 201, made.text);
      assert.equal(made.body['difference_usd'], difference);
      const total = Number(cost).toFixed(cost.length > 4 ? 3 : 2);
      assert.deepEqual((await postedOf(key.id)).toSorted(), ['0.00', total, total].toSorted());
      assert.deepEqual(await usageOf(key.id), [1, total, 60]);
      const rows = await callsOf(gateway(), key);
      const [correction] = rows.filter((each) => each['outcome'] === 'correction');
      assert.deepEqual(
        ['id', 'corrects', 'cost_usd', 'held_usd', 'attempt', 'request_id', 'output_tokens'].map(
          (name) => correction?.[name],
        ),
        [made.body['id'], row['id'], difference, '0.00', 0, row['request_id'], 0],
      );
      assert.deepEqual(
        rows.find((each) => each['id'] === row['id']),
        row,
        'the call stays as it was',
      );
      const event = await findEvent(gateway().keyfold, {
        action: 'call.corrected',
        target: textAt(row, 'id'),
      });
      assert.deepEqual(event['detail'], {
        correction: made.body['id'],
        previous_cost_usd: '0.06',
        cost_usd: total,
        difference_usd: difference,
        reason: 'as invoiced',
      });
    });
  }

  test('a call is corrected once, also by twenty at the same time', async () => {
    const { key, row } = await settledCall();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, cents) =>
        correct(row['id'], { cost_usd: `0.${10 + cents}`, reason: 'r' }),
      ),
    );
    const made = answers.filter(({ status }) => status === 201);
    assert.equal(made.length, 1);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      assertProblem(answer, { status: 400, code: 'invalid_request', param: 'id' });
    }
    const cost = String(made[0]?.body['cost_usd']);
    assert.deepEqual(await postedOf(key.id), [cost, cost]);
    const again = await correct(row['id'], { cost_usd: '0.5', reason: 'r' });
    assertProblem(again, { status: 400, code: 'invalid_request', param: 'id' });
    assert.deepEqual(await usageOf(key.id), [1, cost, 60], 'nothing changes');
  });

  test('what makes no sense is refused by the field, and changes nothing', async () => {
    const { key, row } = await settledCall();
    for (const cost of ['-1', 'NaN', '1e309', '0.00000000001', '9999999', '0.06', '', null]) {
      assertProblem(await correct(row['id'], { cost_usd: cost, reason: 'r' }), {
        status: 400,
        code: 'invalid_request',
        param: 'cost_usd',
      });
    }
    const noReason = await correct(row['id'], { cost_usd: '1' });
    assertProblem(noReason, { status: 400, code: 'invalid_request', param: 'reason' });
    for (const id of ['res_00000000000000000000000000', 'nothing']) {
      assert.equal((await correct(id, { cost_usd: '1', reason: 'r' })).status, 404);
    }
    assert.deepEqual(await usageOf(key.id), [1, '0.06', 60]);
    const made = await correct(row['id'], { cost_usd: '0.07', reason: 'r' });
    const ofCorrection = await correct(made.body['id'], { cost_usd: '1', reason: 'r' });
    assertProblem(ofCorrection, { status: 400, code: 'invalid_request', param: 'id' });
    const { strangerKey } = gateway().keyfold;
    const other = await gateway().keyfold.request(
      'POST',
      `/v1/calls/${textAt(row, 'id')}/corrections`,
      { cost_usd: '1', reason: 'r' },
      { key: strangerKey },
    );
    assert.equal(other.status, 404, other.text);
  });

  test("a child's call is corrected on its parent's budgets, and a free one on nothing", async () => {
    const { key } = await settledCall();
    const born = await gateway().keyfold.request('POST', '/v1/keys/self/children', {}, { key: key.secret });
    const child = { id: textAt(born, 'id'), secret: textAt(born, 'api_key') };
    assert.equal((await call(gateway(), child.secret, BODY)).status, 200);
    const ofChild = await onlyCall(gateway(), child);
    assert.equal((await correct(ofChild['id'], { cost_usd: '0.01', reason: 'r' })).status, 201);
    assert.deepEqual(await postedOf(key.id), ['0.07', '0.07']);
    const test = await issueKey(gateway(), { kind: 'test', budgets: { total_usd: '1' } });
    assert.equal((await call(gateway(), test.secret, BODY)).status, 200);
    const free = await onlyCall(gateway(), test);
    assert.equal((await correct(free['id'], { cost_usd: '0.5', reason: 'r' })).status, 201);
    assert.deepEqual(await postedOf(test.id), ['0.00']);
  });

  test('on credit, a correction is in the statement under the day of its call', async () => {
    const entered = await request('POST', '/v1/credits/entries', { kind: 'top_up', amount: '10' });
    assert.equal(entered.status, 201, entered.text);
    const { row } = await settledCall();
    assert.equal((await correct(row['id'], { cost_usd: '0.05', reason: 'r' })).status, 201);
    const { body: credit } = await request('GET', '/v1/credits');
    assert.deepEqual([credit['posted_usd'], credit['remaining_usd']], ['0.05', '9.95']);
    const today = new Date().toISOString().slice(0, 10);
    const { body: statement } = await request('GET', `/v1/credits/statement?from=${today}&to=2099-01-01`);
    assert.equal(statement['closing_usd'], '9.95', JSON.stringify(statement));
  });
});
