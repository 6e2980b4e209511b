import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEvent } from '../control/support.ts';
import type { Body } from '../keyfold.ts';
import {
  type Gateway,
  type IssuedKey,
  addModel,
  assertNothingHeld,
  assertRefused,
  auditOf,
  call as chat,
  chatBody,
  describeGateway,
  issueKey,
  onlyCall,
  until,
} from './support.ts';

const HEARD = 'heard';
const TEXT_ALONE = 'text-alone';
/** 100 of text of which 40 are cached, 200 heard; 10 of text, 50 spoken, 5 drawn. */
const USAGE = {
  prompt_tokens: 300,
  completion_tokens: 65,
  total_tokens: 365,
  prompt_tokens_details: { cached_tokens: 40, audio_tokens: 200 },
  completion_tokens_details: { audio_tokens: 50, image_tokens: 5 },
};
const TOKENS = {
  input_tokens: 60,
  cached_input_tokens: 40,
  cache_write_tokens: 0,
  audio_input_tokens: 200,
  image_input_tokens: 0,
  output_tokens: 10,
  reasoning_tokens: 0,
  audio_output_tokens: 50,
  image_output_tokens: 5,
};
const PRICE = {
  input_usd_per_million: '1',
  cached_input_usd_per_million: '0.1',
  audio_input_usd_per_million: '10',
  cached_audio_input_usd_per_million: '5',
  image_input_usd_per_million: '3',
  output_usd_per_million: '2',
  audio_output_usd_per_million: '20',
  image_output_usd_per_million: '40',
  context_tokens: 128_000,
  output_tokens_max: 1_000,
};
/** 60 × 1000 + 40 × 100 + 200 × 10 000 + 10 × 2000 + 50 × 20 000 + 5 × 40 000 nano-dollars. */
const COST = '0.003284';
/** A recording in the request, and one asked for. */
const SPOKEN = {
  modalities: ['text', 'audio'],
  audio: { voice: 'alloy', format: 'wav' },
  messages: [
    { role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'eA==', format: 'wav' } }] },
  ],
};

describeGateway('audio and images', {}, (gateway) => {
  const ask = (key: IssuedKey, fields: object = {}) =>
    chat(gateway(), key.secret, chatBody({ model: HEARD, max_tokens: 100, ...SPOKEN, ...fields }));

  test('have prices that are set and shown, and recorded with those before', async () => {
    await addModel(gateway(), { name: HEARD });
    await addModel(gateway(), { name: TEXT_ALONE, input: '1', output: '2' });
    const path = `/v1/catalog/models/openai-compatible/${HEARD}`;
    const set = await gateway().keyfold.request('PUT', path, PRICE);
    assert.equal(set.status, 200, set.text);
    for (const [field, usd] of Object.entries(PRICE))
      assert.equal(Number(set.body[field]), Number(usd), field);
    const { text } = await gateway().keyfold.request('GET', '/openapi.json');
    for (const field of Object.keys(PRICE)) assert.ok(text.includes(`"${field}"`), field);
    const dearer = { ...PRICE, audio_input_usd_per_million: '11' };
    for (const price of [dearer, PRICE]) {
      assert.equal((await gateway().keyfold.request('PUT', path, price)).status, 200);
    }
    const target = `openai-compatible/${HEARD}`;
    const { detail } = await findEvent(gateway().keyfold, { action: 'price.set', target });
    const { before, after } = detail as { before: Body; after: Body };
    const field = 'audio_input_usd_per_million';
    assert.deepEqual([before[field], after[field]], ['11.00', '10.00']);
    const wrong = await gateway().keyfold.request('PUT', path, {
      ...PRICE,
      audio_input_usd_per_million: '-1',
    });
    assert.deepEqual([wrong.status, wrong.body['param']], [400, 'audio_input_usd_per_million']);
  });

  test('are charged, counted, summed, exported, measured and recorded apart from text', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '10' } });
    gateway().provider.script({ kind: 'usage', usage: USAGE });
    const answer = await ask(key);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-keyfold-cost-usd'), COST);
    const row = await onlyCall(gateway(), key);
    assert.deepEqual([row['cost_usd'], row['flags']], [COST, []]);
    for (const [name, tokens] of Object.entries(TOKENS)) assert.equal(row[name], tokens, name);
    const audited = await auditOf(gateway(), String(row['request_id']));
    const detail = audited.at(-1)?.['detail'] as Record<string, unknown>;
    for (const [name, tokens] of Object.entries(TOKENS))
      assert.equal(detail[name], tokens || undefined, name);
    const usage = await gateway().keyfold.request('GET', `/v1/usage?key_id=${key.id}`);
    const [sum] = usage.body['data'] as readonly Record<string, unknown>[];
    for (const [name, tokens] of Object.entries(TOKENS)) assert.equal(sum?.[name], tokens, name);
    const csv = await gateway().keyfold.request('GET', `/v1/usage?key_id=${key.id}&format=csv`);
    const [head = '', line = ''] = csv.text.split(/\r?\n/);
    const cells = line.split(',');
    for (const [name, tokens] of Object.entries(TOKENS)) {
      assert.equal(cells[head.split(',').indexOf(name)], String(tokens), name);
    }
    await until(async () => ((await spokenIn(gateway())) >= TOKENS.audio_output_tokens ? true : undefined));
    await assertNothingHeld(gateway(), key);
  });

  test('that a price says nothing of are refused where they are asked for, and charged at the hold where they come', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '10' } });
    const refused = await ask(key, { model: TEXT_ALONE });
    const error = assertRefused(refused, { status: 400, code: 'model_unpriced', param: 'model' });
    assert.match(String(error['message']), /audio_output_usd_per_million/);
    gateway().provider.script({ kind: 'usage', usage: USAGE });
    const answer = await ask(key, { model: TEXT_ALONE, modalities: ['text'], audio: undefined });
    assert.equal(answer.status, 200, answer.text);
    const row = await onlyCall(gateway(), key);
    assert.deepEqual(row['flags'], ['unpriced_audio', 'unpriced_image']);
    assert.equal(row['cost_usd'], row['held_usd']);
    assert.ok(Number(row['cost_usd']) > Number(COST));
    await assertNothingHeld(gateway(), key);
  });

  test('are held only where a call has or asks for them', async () => {
    const heldFor = async (fields: object) => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '10' } });
      assert.equal((await ask(key, fields)).status, 200);
      return Number((await onlyCall(gateway(), key))['held_usd']);
    };
    const text = { modalities: undefined, audio: undefined, messages: [{ role: 'user', content: 'Hello' }] };
    // At most some 1200 tokens × 1000 and 100 × 2000 nano-dollars.
    assert.ok((await heldFor(text)) < 0.0015);
    // The context × 10 000, and 100 × 40 000.
    assert.equal(await heldFor({}), 1.284);
  });
});

async function spokenIn({ keyfold }: Gateway): Promise<number> {
  const { text } = await keyfold.request('GET', '/metrics');
  return Number(/^keyfold_tokens_total\{[^}]*class="audio_output"[^}]*\} (\d+)$/m.exec(text)?.[1] ?? 0);
}
