import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMockProvider } from '../mock-provider.ts';
import {
  addProvider,
  assertProblem,
  chat,
  createKey,
  describeOnEachDatabase,
  findEvent,
  rowsOf,
  textAt,
  withoutRequestId,
} from './support.ts';

describeOnEachDatabase('budgets', (keyfold) => {
  const put = (body: object) => keyfold().request('PUT', '/v1/budgets', body);

  test('a cap is set, raised in place, listed and recorded', async () => {
    const key = await createKey(keyfold());
    const scope = { scope: 'key', scope_id: key['id'], period: 'month' };
    const set = await put({ ...scope, cap_usd: '12.5' });
    assert.equal(set.status, 200, set.text);
    const raised = await put({ ...scope, cap_usd: 20 });
    assert.deepEqual(raised.body, { ...set.body, cap_usd: '20.00', remaining_usd: '20.00' });
    const listed = rowsOf(
      await keyfold().request('GET', `/v1/budgets?scope=key&scope_id=${textAt(key, 'id')}`),
    );
    const { above, ...budget } = raised.body as Readonly<Record<string, unknown>>;
    assert.deepEqual([listed, above], [[budget], []]);
    const event = await findEvent(keyfold(), { action: 'budget.set', target: textAt(set, 'id') });
    assert.deepEqual(event['detail'], {
      scope_id: key['id'],
      period: 'month',
      cap_usd: '20.00',
      before: { cap_usd: '12.50' },
      after: { cap_usd: '20.00' },
    });
  });

  test("without an id a scope is the caller's own", async () => {
    const [organization] = rowsOf(await keyfold().request('GET', '/v1/organizations'));
    const [project] = rowsOf(await keyfold().request('GET', '/v1/projects'));
    const ofProject = await put({ scope: 'project', period: 'day', cap_usd: '1000' });
    assert.equal(ofProject.body['scope_id'], project?.['id'], ofProject.text);
    const ofAll = await put({ scope: 'organization', period: 'total', cap_usd: '1000' });
    assert.equal(ofAll.body['scope_id'], organization?.['id'], ofAll.text);
    assert.equal(ofAll.body['resets_at'], null);
    assertProblem(await put({ scope: 'key', period: 'day', cap_usd: '1' }), {
      status: 400,
      code: 'invalid_request',
      param: 'scope_id',
    });
  });

  test('a rolling budget says how long its window is, and a scope has three at most', async () => {
    const key = await createKey(keyfold());
    const rolling = { scope: 'key', scope_id: key['id'], period: 'rolling', cap_usd: '5' };
    const refuse = async (body: object, param: string) =>
      assertProblem(await put({ ...rolling, ...body }), { status: 400, code: 'invalid_request', param });
    await refuse({}, 'window_seconds');
    for (const seconds of [0, 59, 90, 31 * 86_400 + 60, 3_600.5, '3600']) {
      await refuse({ window_seconds: seconds }, 'window_seconds');
    }
    await refuse({ window_seconds: 3_600, time_zone: 'Europe/Berlin' }, 'time_zone');
    await refuse({ period: 'day', window_seconds: 3_600 }, 'window_seconds');
    const made = await Promise.all(
      [3_600, 18_000, 604_800].map(async (seconds) => put({ ...rolling, window_seconds: seconds })),
    );
    assert.deepEqual(
      made.map(({ status, body }) => [status, body['window_seconds'], body['resets_at']]),
      [
        [200, 3_600, null],
        [200, 18_000, null],
        [200, 604_800, null],
      ],
    );
    await refuse({ window_seconds: 60 }, 'window_seconds');
    const again = await put({ ...rolling, window_seconds: 3_600, cap_usd: '0' });
    assert.deepEqual([again.status, again.body['id']], [200, made[0]?.body['id']], again.text);
    const refusal = await chat(keyfold(), textAt(key, 'api_key'));
    assert.equal(refusal.status, 402, refusal.text);
    assert.match(refusal.text, /in any 3600 seconds/);
    const validated = await keyfold().request('GET', '/v1/keys/validate', undefined, textAt(key, 'api_key'));
    assert.equal(validated.body['remaining_quota'], 0, validated.text);
    const removed = await keyfold().request('DELETE', `/v1/budgets/${String(made[0]?.body['id'])}`);
    assert.equal(removed.status, 204);
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'))).status, 200);
  });

  test('a cap above that of what contains the scope is set, and said to be so', async () => {
    const project = await put({ scope: 'project', period: 'total', cap_usd: '100' });
    const key = await createKey(keyfold());
    const set = await put({ scope: 'key', scope_id: key['id'], period: 'total', cap_usd: '100.01' });
    assert.equal(set.status, 200, set.text);
    const [above] = set.body['above'] as Record<string, unknown>[];
    assert.deepEqual(
      [above?.['id'], above?.['scope'], above?.['cap_usd']],
      [project.body['id'], 'project', '100.00'],
    );
    const event = await findEvent(keyfold(), { action: 'budget.set', target: textAt(set, 'id') });
    assert.deepEqual((event['detail'] as Record<string, unknown>)['above'], [project.body['id']]);
    const within = await put({ scope: 'key', scope_id: key['id'], period: 'total', cap_usd: '100' });
    assert.deepEqual(within.body['above'], []);
    await keyfold().request('DELETE', `/v1/budgets/${textAt(project, 'id')}`);
  });

  test('a cap holds from the next call on, whichever scope it is of, and its removal too', async () => {
    const key = await createKey(keyfold());
    const secret = textAt(key, 'api_key');
    for (const scope of ['project', 'organization']) {
      assert.equal((await chat(keyfold(), secret)).status, 200);
      const set = await put({ scope, period: 'month', cap_usd: '0' });
      const refusal = await chat(keyfold(), secret);
      assert.equal(refusal.status, 402, refusal.text);
      const removed = await keyfold().request('DELETE', `/v1/budgets/${textAt(set, 'id')}`);
      assert.equal(removed.status, 204);
      assert.equal((await chat(keyfold(), secret)).status, 200);
      await findEvent(keyfold(), { action: 'budget.removed', target: textAt(set, 'id') });
      assertProblem(await keyfold().request('DELETE', `/v1/budgets/${textAt(set, 'id')}`), {
        status: 404,
        code: 'not_found',
      });
    }
  });

  test('what a call costs is posted on every budget that it is under, to the nano-dollar', async () => {
    await using provider = await startMockProvider();
    await addProvider(keyfold(), provider, { name: 'posted' });
    const key = await createKey(keyfold(), { budgets: { per_day_usd: '1', total_usd: '1' } });
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'), 'posted')).status, 200);
    const rows = rowsOf(await keyfold().request('GET', `/v1/budgets?scope_id=${textAt(key, 'id')}`));
    assert.equal(rows.length, 2);
    // Ten tokens in at a dollar a million, five out at two.
    for (const row of rows) {
      assert.equal(row['posted_usd'], '0.00002');
      assert.equal(row['held_usd'], '0.00');
      assert.equal(row['remaining_usd'], '0.99998');
    }
  });

  test('of first settings that meet, one makes the budget and there is never a second', async () => {
    const key = await createKey(keyfold());
    const body = { scope: 'key', scope_id: key['id'], period: 'day', cap_usd: '3' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => put(body)));
    assert.ok(answers.some(({ status }) => status === 200));
    for (const answer of answers)
      if (answer.status !== 200) assertProblem(answer, { status: 409, code: 'conflict' });
    const rows = rowsOf(await keyfold().request('GET', `/v1/budgets?scope_id=${textAt(key, 'id')}`));
    assert.equal(rows.length, 1);
  });

  test("another organization's key, project and budget are as absent as none", async () => {
    const options = { key: keyfold().strangerKey };
    const theirKey = await keyfold().request('POST', '/v1/keys', { permissions: ['chat'] }, options);
    const [theirs] = rowsOf(await keyfold().request('GET', '/v1/organizations', undefined, options));
    const theirBudget = await keyfold().request(
      'PUT',
      '/v1/budgets',
      { scope: 'organization', period: 'day', cap_usd: '1' },
      options,
    );
    for (const [scope, id] of [
      ['key', textAt(theirKey, 'id')],
      ['project', textAt(theirKey, 'project_id')],
      ['organization', textAt(theirs ?? {}, 'id')],
    ] as const) {
      const foreign = await put({ scope, scope_id: id, period: 'day', cap_usd: '0' });
      const absent = await put({ scope, scope_id: `${id.slice(0, 4)}none`, period: 'day', cap_usd: '0' });
      assertProblem(foreign, { status: 404, code: 'not_found', param: 'scope_id' });
      assert.deepEqual(withoutRequestId(foreign), withoutRequestId(absent));
    }
    const path = `/v1/budgets/${textAt(theirBudget, 'id')}`;
    const foreign = await keyfold().request('DELETE', path);
    const absent = await keyfold().request('DELETE', '/v1/budgets/bud_none');
    assertProblem(foreign, { status: 404, code: 'not_found' });
    assert.deepEqual(withoutRequestId(foreign), withoutRequestId(absent));
    const ours = rowsOf(await keyfold().request('GET', '/v1/budgets?limit=100'));
    assert.ok(ours.every((row) => row['id'] !== theirBudget.body['id']));
  });

  test('a body that is not sound is refused', async () => {
    const sound = { scope: 'project', period: 'day', cap_usd: '1' };
    for (const [change, param] of [
      [{ scope: 'galaxy' }, 'scope'],
      [{ period: 'week' }, 'period'],
      [{ cap_usd: '-0.01' }, 'cap_usd'],
      [{ cap_usd: -1 }, 'cap_usd'],
      [{ cap_usd: '1.00000000001' }, 'cap_usd'],
      [{ cap_usd: 0.1 + 0.2 }, 'cap_usd'],
      [{ cap_usd: 1e21 }, 'cap_usd'],
      [{ cap_usd: '99999999999' }, 'cap_usd'],
      [{ cap_usd: null }, 'cap_usd'],
      [{ cap_usd: undefined }, 'cap_usd'],
      [{ scope_id: 7 }, 'scope_id'],
      [{ currency: 'EUR' }, 'currency'],
    ] as const) {
      assertProblem(await put({ ...sound, ...change }), { status: 400, code: 'invalid_request', param });
    }
    for (const query of ['scope=galaxy', 'period=day']) {
      assertProblem(await keyfold().request('GET', `/v1/budgets?${query}`), {
        status: 400,
        code: 'invalid_request',
      });
    }
  });

  test('a budget keeps the days of its own zone, and the zone stays', async () => {
    const key = await createKey(keyfold());
    const scope = { scope: 'key', scope_id: key['id'], period: 'day', cap_usd: '5' };
    const set = await put({ ...scope, time_zone: 'pacific/kiritimati' });
    assert.equal(set.status, 200, set.text);
    assert.equal(set.body['time_zone'], 'Pacific/Kiritimati');
    // Fourteen hours before UTC.
    assert.match(textAt(set, 'resets_at'), /T10:00:00\.000Z$/);
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'))).status, 200);
    const [state] = rowsOf(await keyfold().request('GET', `/v1/budgets?scope_id=${textAt(key, 'id')}`));
    assert.ok(Number(state?.['posted_usd']) > 0);
    for (const time_zone of ['Europe/Berlin', 'Europe/Atlantis', '+02:00']) {
      const refused = await put({ ...scope, time_zone });
      assertProblem(refused, { status: 400, code: 'invalid_request', param: 'time_zone' });
    }
    assert.equal((await put({ ...scope, cap_usd: '6' })).body['time_zone'], 'Pacific/Kiritimati');
  });

  test('a raise holds until its end, and can be ended at once', async () => {
    const key = await createKey(keyfold());
    const secret = textAt(key, 'api_key');
    const scope = { scope: 'key', scope_id: key['id'], period: 'total', cap_usd: '0' };
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const raised = await put({ ...scope, raise: { cap_usd: '7', until } });
    assert.equal(raised.status, 200, raised.text);
    assert.deepEqual(raised.body['raise'], { cap_usd: '7.00', until });
    assert.deepEqual([raised.body['cap_usd'], raised.body['remaining_usd']], ['0.00', '7.00']);
    assert.equal((await chat(keyfold(), secret)).status, 200);
    const event = await findEvent(keyfold(), { action: 'budget.set', target: textAt(raised, 'id') });
    assert.equal((event['detail'] as Record<string, unknown>)['raised_until'], until);
    assert.equal((await put({ ...scope, raise: null })).body['raise'], null);
    assert.equal((await chat(keyfold(), secret)).status, 402);
    for (const [raise, param] of [
      [{ cap_usd: '0', until }, 'raise.cap_usd'],
      [{ cap_usd: '-1', until }, 'raise.cap_usd'],
      [{ cap_usd: '7', until: '2020-01-01T00:00:00Z' }, 'raise.until'],
      [{ cap_usd: '7', until: 'soon' }, 'raise.until'],
      [{ cap_usd: '7' }, 'raise.until'],
    ] as const) {
      assertProblem(await put({ ...scope, raise }), { status: 400, code: 'invalid_request', param });
    }
  });

  test('shares of a cap are kept ascending and once each, and stay where nothing is said of them', async () => {
    const key = await createKey(keyfold());
    const scope = { scope: 'key', scope_id: key['id'], period: 'month', cap_usd: '5' };
    const set = await put({ ...scope, alert_percents: [80, 50, 80] });
    assert.deepEqual(set.body['alert_percents'], [50, 80], set.text);
    assert.deepEqual((await put({ ...scope, cap_usd: '6' })).body['alert_percents'], [50, 80]);
    assert.deepEqual((await put({ ...scope, alert_percents: [] })).body['alert_percents'], []);
    for (const alert_percents of [[0], [1.5], [1001], ['50'], Array.from({ length: 11 }, (_, i) => i + 1)]) {
      const refused = await put({ ...scope, alert_percents });
      assert.equal(refused.status, 400, refused.text);
      assert.match(String(refused.body['param']), /^alert_percents/);
    }
  });
});
