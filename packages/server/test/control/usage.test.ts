import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMockProvider } from '../mock-provider.ts';
import {
  addProvider,
  assertProblem,
  chat,
  createKey,
  describeOnEachDatabase,
  rowsOf,
  textAt,
  withoutRequestId,
} from './support.ts';

const COLUMNS =
  'calls,input_tokens,cached_input_tokens,cache_write_tokens,audio_input_tokens,image_input_tokens,' +
  'output_tokens,reasoning_tokens,audio_output_tokens,image_output_tokens,cost_usd';

describeOnEachDatabase('usage and calls', (keyfold) => {
  const usage = (query: string) => keyfold().request('GET', `/v1/usage?${query}`);

  test('before the first call the sum is zero, and groups are none', async () => {
    const total = rowsOf(await keyfold().request('GET', '/v1/usage'));
    assert.deepEqual(total, [
      {
        calls: 0,
        input_tokens: 0,
        cached_input_tokens: 0,
        cache_write_tokens: 0,
        audio_input_tokens: 0,
        image_input_tokens: 0,
        output_tokens: 0,
        reasoning_tokens: 0,
        audio_output_tokens: 0,
        image_output_tokens: 0,
        cost_usd: '0.00',
      },
    ]);
    assert.deepEqual(rowsOf(await usage('group_by=key,day')), []);
    assert.equal((await usage('group_by=key&format=csv')).text, `key_id,${COLUMNS}\r\n`);
  });

  test("the sums are the provider's own bill, however they are grouped", async () => {
    await using provider = await startMockProvider();
    await addProvider(keyfold(), provider, { name: 'billed' });
    const keys = [await createKey(keyfold()), await createKey(keyfold())];
    provider.script(
      { kind: 'ok', tokens: { input: 1_000, output: 7 } },
      { kind: 'ok', tokens: { input: 0, output: 1 } },
      { kind: 'ok', tokens: { input: 3, output: 0 } },
    );
    for (const index of [0, 0, 1]) await chat(keyfold(), textAt(keys[index] ?? {}, 'api_key'), 'billed');
    const { bill } = provider;
    for (const groups of ['model', 'provider,month', 'day,model', 'hour', 'key,project,model,provider,day']) {
      const rows = rowsOf(await usage(`model=billed&group_by=${groups}`));
      const sum = (name: string) => rows.reduce((all, row) => all + Number(row[name]), 0);
      assert.deepEqual(
        [sum('calls'), sum('input_tokens'), sum('output_tokens')],
        [bill.calls, bill.input, bill.output],
        groups,
      );
      // A dollar a million in, two out: exact in micro-dollars.
      const micros = rows.reduce((all, row) => all + Math.round(Number(row['cost_usd']) * 1e6), 0);
      assert.equal(micros, bill.input + 2 * bill.output, groups);
    }
    const byKey = rowsOf(await usage('model=billed&group_by=key'));
    assert.deepEqual(
      new Map(byKey.map((row) => [row['key_id'], row['calls']])),
      new Map([
        [keys[0]?.['id'], 2],
        [keys[1]?.['id'], 1],
      ]),
    );
    const [day] = rowsOf(await usage('model=billed&group_by=day'));
    assert.match(textAt(day ?? {}, 'day'), /^\d{4}-\d\d-\d\d$/);
    const [hour] = rowsOf(await usage('model=billed&group_by=hour'));
    assert.match(textAt(hour ?? {}, 'hour'), /^\d{4}-\d\d-\d\dT\d\d:00:00Z$/);
  });

  test('a time range takes in its beginning and not its end', async () => {
    const key = await createKey(keyfold());
    await chat(keyfold(), textAt(key, 'api_key'));
    const [call] = rowsOf(await keyfold().request('GET', `/v1/calls?key_id=${textAt(key, 'id')}`));
    const at = textAt(call ?? {}, 'created_at');
    const filter = `key_id=${textAt(key, 'id')}`;
    const next = new Date(Date.parse(at) + 1).toISOString();
    assert.equal(rowsOf(await usage(`${filter}&group_by=key&from=${at}&to=${next}`)).length, 1);
    assert.equal(rowsOf(await usage(`${filter}&group_by=key&to=${at}`)).length, 0);
    assert.equal(rowsOf(await usage(`${filter}&group_by=key&from=${next}`)).length, 0);
    const calls = (query: string) => keyfold().request('GET', `/v1/calls?${filter}&${query}`);
    assert.equal(rowsOf(await calls(`from=${at}&to=${next}`)).length, 1);
    assert.equal(rowsOf(await calls(`to=${at}`)).length, 0);
    assertProblem(await calls(`from=${at}&to=${at}`), {
      status: 400,
      code: 'invalid_request',
      param: 'from',
    });
  });

  test('a spreadsheet reads no cell as a formula, whatever a caller named a model', async () => {
    const key = await createKey(keyfold(), { kind: 'test' });
    const names = ['=HYPERLINK("http://x","y")', '+1', '-1', '@SUM(A1)', 'a,"b"'];
    for (const name of names)
      assert.equal((await chat(keyfold(), textAt(key, 'api_key'), name)).status, 200, name);
    const answer = await usage(`key_id=${textAt(key, 'id')}&group_by=model&format=csv`);
    assert.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8');
    const [header, ...lines] = answer.text.split('\r\n').filter((line) => line !== '');
    assert.equal(header, `model,${COLUMNS}`);
    assert.ok(lines.length >= names.length);
    for (const line of lines) assert.doesNotMatch(line, /^"?[=+\-@\t\r]/);
    assert.ok(answer.text.includes(`"'=HYPERLINK(""http://x"",""y"")",1,`), answer.text);
    assert.ok(answer.text.includes('"a,""b""",1,'), answer.text);
  });

  test('a call is one row, found by its id, its request and its cursors', async () => {
    await using provider = await startMockProvider();
    const credential = await addProvider(keyfold(), provider, { name: 'one-row' });
    const key = await createKey(keyfold());
    const answers = [];
    for (let time = 0; time < 3; time++) {
      answers.push(await chat(keyfold(), textAt(key, 'api_key'), 'one-row'));
    }
    const list = (query: string) =>
      keyfold().request('GET', `/v1/calls?key_id=${textAt(key, 'id')}&${query}`);
    const all = rowsOf(await list('limit=100'));
    assert.deepEqual(
      all.map((row) => row['request_id']),
      answers.map(({ headers }) => headers.get('x-request-id')).toReversed(),
    );
    const [newest] = all;
    assert.ok(newest);
    assert.deepEqual(
      { ...newest, id: '', request_id: '', held_usd: '', created_at: '', ended_at: '', duration_ms: 0 },
      {
        object: 'call',
        id: '',
        request_id: '',
        project_id: key['project_id'],
        key_id: key['id'],
        key_version: 1,
        credential_id: credential['id'],
        endpoint: 'chat.completions',
        provider: 'openai-compatible',
        model: 'one-row',
        streamed: false,
        attempt: 1,
        route: null,
        status: 200,
        error: null,
        outcome: 'settlement',
        corrects: null,
        provenance: 'provider',
        flags: [],
        input_tokens: 10,
        cached_input_tokens: 0,
        cache_write_tokens: 0,
        audio_input_tokens: 0,
        image_input_tokens: 0,
        output_tokens: 5,
        reasoning_tokens: 0,
        audio_output_tokens: 0,
        image_output_tokens: 0,
        held_usd: '',
        cost_usd: '0.00002',
        created_at: '',
        ended_at: '',
        duration_ms: 0,
      },
    );
    const shown = await keyfold().request('GET', `/v1/calls/${textAt(newest, 'id')}`);
    assert.deepEqual(shown.body, newest);
    assert.deepEqual(rowsOf(await list(`request_id=${textAt(newest, 'request_id')}`)), [newest]);
    const first = await list('limit=2');
    const second = await list(`limit=2&after=${textAt(first, 'last_id')}`);
    assert.deepEqual([...rowsOf(first), ...rowsOf(second)], all);
    assert.deepEqual([first.body['has_more'], second.body['has_more']], [true, false]);
    const back = await list(`limit=2&before=${textAt(second, 'first_id')}`);
    assert.deepEqual(rowsOf(back), rowsOf(first));
  });

  test('usage that a provider makes up is flagged and never credited', async () => {
    await using provider = await startMockProvider();
    await addProvider(keyfold(), provider, { name: 'negative' });
    const key = await createKey(keyfold(), { budgets: { total_usd: '1' } });
    provider.behave({ kind: 'negative-usage' });
    await chat(keyfold(), textAt(key, 'api_key'), 'negative');
    const [call] = rowsOf(await keyfold().request('GET', `/v1/calls?key_id=${textAt(key, 'id')}`));
    assert.deepEqual(call?.['flags'], ['usage_negative', 'estimated']);
    assert.ok(Number(call?.['cost_usd']) > 0);
    assert.equal(call?.['cost_usd'], call?.['held_usd']);
  });

  test("another organization's calls are neither summed nor shown", async () => {
    const stranger = { key: keyfold().strangerKey };
    const theirs = await keyfold().request('POST', '/v1/keys', { permissions: ['chat'] }, stranger);
    await chat(keyfold(), textAt(theirs, 'api_key'));
    const [call] = rowsOf(await keyfold().request('GET', '/v1/calls', undefined, stranger));
    const foreign = await keyfold().request('GET', `/v1/calls/${textAt(call ?? {}, 'id')}`);
    const absent = await keyfold().request('GET', '/v1/calls/res_none');
    assertProblem(foreign, { status: 404, code: 'not_found' });
    assert.deepEqual(withoutRequestId(foreign), withoutRequestId(absent));
    const filter = `key_id=${textAt(theirs, 'id')}`;
    assert.deepEqual(rowsOf(await keyfold().request('GET', `/v1/calls?${filter}`)), []);
    assert.deepEqual(rowsOf(await usage(`${filter}&group_by=key`)), []);
  });

  test('a question that is not sound is refused', async () => {
    for (const [query, param] of [
      ['group_by=colour', 'group_by'],
      ['group_by=', 'group_by'],
      ['group_by=key,key', 'group_by'],
      ['from=yesterday', 'from'],
      ['to=2026-13-01T00:00:00Z', 'to'],
      ['format=xml', 'format'],
      ['colour=red', 'colour'],
      ['from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
    ] as const) {
      assertProblem(await usage(query), { status: 400, code: 'invalid_request', param });
    }
    assertProblem(await keyfold().request('GET', '/v1/calls?status=200'), {
      status: 400,
      code: 'invalid_request',
      param: 'status',
    });
  });
});
