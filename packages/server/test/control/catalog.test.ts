import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertProblem,
  chat,
  createKey,
  describeOnEachDatabase,
  findEvent,
  rowsOf,
  textAt,
} from './support.ts';

const PRICE = { input_usd_per_million: '2.5', output_usd_per_million: '10' };

describeOnEachDatabase('the catalog', (keyfold) => {
  const put = (name: string, body: unknown) => keyfold().request('PUT', `/v1/catalog/models/${name}`, body);

  test('shipped prices are listed by name, in pages, with where they come from', async () => {
    const all = rowsOf(await keyfold().request('GET', '/v1/catalog/models?provider=openai&limit=100'));
    assert.ok(all.length > 3);
    const ids = all.map((row) => textAt(row, 'id'));
    assert.deepEqual(ids, ids.toSorted());
    for (const row of all) {
      assert.match(textAt(row, 'input_usd_per_million'), /^\d+\.\d{2,9}$/);
      assert.notEqual(textAt(row, 'source'), '');
    }
    const first = await keyfold().request('GET', '/v1/catalog/models?provider=openai&limit=2');
    const next = await keyfold().request(
      'GET',
      `/v1/catalog/models?provider=openai&limit=2&after=${encodeURIComponent(textAt(first, 'last_id'))}`,
    );
    assert.deepEqual(
      [...rowsOf(first), ...rowsOf(next)].map((row) => row['id']),
      ids.slice(0, 4),
    );
  });

  test('a price is set, in force at once, filtered for, and recorded', async () => {
    const set = await put('openai-compatible/plain', {
      ...PRICE,
      cached_input_usd_per_million: '0.000000001',
      context_tokens: 8_192,
    });
    assert.equal(set.status, 200, set.text);
    const rows = rowsOf(await keyfold().request('GET', '/v1/catalog/models?model=plain'));
    assert.deepEqual(rows, [set.body]);
    assert.equal(set.body['cached_input_usd_per_million'], '0.000000001');
    assert.equal(set.body['source'], 'operator');
    const event = await findEvent(keyfold(), { action: 'price.set', target: 'openai-compatible/plain' });
    assert.equal((event['detail'] as { input_usd_per_million: string }).input_usd_per_million, '2.50');
  });

  test('the name of a model may hold slashes', async () => {
    const set = await put('openai-compatible/meta-llama/Llama-3.1-8B', PRICE);
    assert.equal(set.status, 200, set.text);
    assert.equal(set.body['model'], 'meta-llama/Llama-3.1-8B');
    const encoded = await put('openai-compatible/meta-llama%2FLlama', PRICE);
    assert.equal(encoded.status, 400);
  });

  test('a price of the future is not in force yet', async () => {
    await put('openai-compatible/later', PRICE);
    await put('openai-compatible/later', {
      ...PRICE,
      input_usd_per_million: '99',
      effective_from: '2100-01-01T00:00:00Z',
    });
    const [row] = rowsOf(await keyfold().request('GET', '/v1/catalog/models?model=later'));
    assert.equal(row?.['input_usd_per_million'], '2.50');
  });

  test('a price of the sandbox is what its calls cost', async () => {
    const key = await createKey(keyfold());
    await put('sandbox/echo', { input_usd_per_million: '0', output_usd_per_million: '1000' });
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'))).status, 200);
    const [call] = rowsOf(await keyfold().request('GET', `/v1/calls?key_id=${textAt(key, 'id')}`));
    const cost = Number(call?.['output_tokens']) / 1_000;
    assert.equal(Number(call?.['cost_usd']), cost);
  });

  const refused: readonly [string, string, unknown, string][] = [
    ['an unknown field', 'openai/a', { ...PRICE, colour: 'red' }, 'colour'],
    ['no input price', 'openai/a', { output_usd_per_million: '1' }, 'input_usd_per_million'],
    ['a negative price', 'openai/a', { ...PRICE, input_usd_per_million: '-1' }, 'input_usd_per_million'],
    [
      'a price of eleven decimals',
      'openai/a',
      { ...PRICE, input_usd_per_million: '0.00000000001' },
      'input_usd_per_million',
    ],
    [
      'a price beyond a dollar a token',
      'openai/a',
      { ...PRICE, input_usd_per_million: '1000001' },
      'input_usd_per_million',
    ],
    ['a huge price', 'openai/a', { ...PRICE, input_usd_per_million: 1e30 }, 'input_usd_per_million'],
    ['a price that is null', 'openai/a', { ...PRICE, input_usd_per_million: null }, 'input_usd_per_million'],
    [
      'a price that is a list',
      'openai/a',
      { ...PRICE, input_usd_per_million: ['1'] },
      'input_usd_per_million',
    ],
    ['tokens below one', 'openai/a', { ...PRICE, context_tokens: 0 }, 'context_tokens'],
    ['tokens as text', 'openai/a', { ...PRICE, context_tokens: '1' }, 'context_tokens'],
    ['a day that is none', 'openai/a', { ...PRICE, effective_from: '2026-02-30' }, 'effective_from'],
    ['an unknown mode', 'openai/a', { ...PRICE, mode: 'dance' }, 'mode'],
    ['a long tier without its threshold', 'openai/a', { ...PRICE, above: PRICE }, 'above.input_tokens'],
    [
      'an unknown field in the long tier',
      'openai/a',
      { ...PRICE, above: { ...PRICE, input_tokens: 1, x: 1 } },
      'above.x',
    ],
    ['an unknown provider', 'opnai/a', PRICE, 'provider'],
    ['a model name with a space', 'openai/a%20b', PRICE, 'model'],
  ];
  for (const [name, model, body, param] of refused) {
    test(`a price with ${name} is refused`, async () => {
      assertProblem(await put(model, body), { status: 400, code: 'invalid_request', param });
    });
  }

  test("LiteLLM's map is imported in one commit, and what is not taken is named with its reason", async () => {
    const map = {
      sample_spec: { input_cost_per_token: 0 },
      'gpt-imported': {
        litellm_provider: 'openai',
        mode: 'chat',
        input_cost_per_token: 0.000_002_5,
        output_cost_per_token: 1e-5,
        max_input_tokens: 128_000,
      },
      'deepseek/imported': {
        litellm_provider: 'deepseek',
        mode: 'chat',
        input_cost_per_token: 1.4e-7,
        output_cost_per_token: 2.8e-7,
      },
      'dall-e-3': { litellm_provider: 'openai', mode: 'image_generation' },
      negative: {
        litellm_provider: 'openai',
        mode: 'chat',
        input_cost_per_token: -1,
        output_cost_per_token: 1,
      },
    };
    const answer = await keyfold().request('POST', '/v1/catalog/import', map);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body['imported'], 2);
    const skipped = answer.body['skipped'] as { model: string; reason: string }[];
    assert.deepEqual(skipped.map(({ model }) => model).toSorted(), ['dall-e-3', 'negative', 'sample_spec']);
    for (const { reason } of skipped) assert.notEqual(reason, '');
    const [row] = rowsOf(await keyfold().request('GET', '/v1/catalog/models?model=gpt-imported'));
    assert.equal(row?.['input_usd_per_million'], '2.50');
    assert.equal(row?.['output_usd_per_million'], '10.00');
    const event = await findEvent(keyfold(), { action: 'prices.imported', target: 'catalog' });
    assert.deepEqual(event['detail'], { imported: 2, skipped: 3 });
  });

  test('a map of thousands of entries is imported at once', async () => {
    const entry = {
      litellm_provider: 'openai',
      mode: 'chat',
      input_cost_per_token: 1e-6,
      output_cost_per_token: 1e-6,
    };
    const names = Array.from({ length: 3_000 }, (_, index) => `bulk-${index}`);
    const map = Object.fromEntries(names.map((name) => [name, entry]));
    const answer = await keyfold().request('POST', '/v1/catalog/import', map);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.body, { imported: 3_000, skipped: [] });
    const last = rowsOf(await keyfold().request('GET', '/v1/catalog/models?model=bulk-2999'));
    assert.equal(last.length, 1);
  });

  test('a map that is none, or beyond the body limit, changes nothing', async () => {
    assertProblem(await keyfold().request('POST', '/v1/catalog/import', []), {
      status: 400,
      code: 'invalid_request',
    });
    const large = await keyfold().request('POST', '/v1/catalog/import', { a: 'x'.repeat(5 * 1_048_576) });
    assertProblem(large, { status: 413, code: 'payload_too_large' });
  });
});
