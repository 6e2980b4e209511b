import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type OwnUsage, checkPeriod, compare } from './compare.ts';
import { ExportError } from './export.ts';
import { readExport } from './read-export.ts';

const FROM_MS = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;
const period = { fromMs: FROM_MS, toMs: Date.UTC(2026, 11, 1) };

function openAiJson(...results: object[]): string {
  const bucket = {
    object: 'bucket',
    start_time: FROM_MS / 1_000,
    end_time: (FROM_MS + DAY_MS) / 1_000,
    results,
  };
  return JSON.stringify({ object: 'page', data: [bucket], has_more: false, next_page: null });
}

const OPENAI_RESULT = {
  object: 'organization.usage.completions.result',
  input_tokens: 1_000,
  input_cached_tokens: 800,
  output_tokens: 500,
  num_model_requests: 5,
  api_key_id: 'key_abc',
  model: 'gpt-4.1-2025-04-14',
};

describe('usage exports', () => {
  test("OpenAI's usage API: cached input is part of the input", () => {
    const [row, ...more] = readExport('openai', openAiJson(OPENAI_RESULT));
    assert.deepEqual(more, []);
    assert.deepEqual(row, {
      startMs: FROM_MS,
      endMs: FROM_MS + DAY_MS,
      model: 'gpt-4.1-2025-04-14',
      key: 'key_abc',
      input: 1_000n,
      cachedInput: 800n,
      output: 500n,
    });
    const pages = `[${openAiJson(OPENAI_RESULT)},${openAiJson(OPENAI_RESULT)}]`;
    assert.equal(readExport('openai', pages).length, 2);
  });

  test("OpenAI's dashboard: the same by columns, and days without use", () => {
    const csv = [
      '\uFEFFstart_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens',
      '1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,,5,,key_abc,gpt-4.1,,,1000,500,800.0',
      '1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,,,,,,,,,,',
    ].join('\r\n');
    const rows = readExport('openai', csv);
    assert.deepEqual(
      rows.map(({ startMs, model, key, input, cachedInput, output }) => [
        startMs,
        model,
        key,
        input,
        cachedInput,
        output,
      ]),
      [[FROM_MS, 'gpt-4.1', 'key_abc', 1_000n, 800n, 500n]],
    );
  });

  test("Anthropic's usage API and Console: input is what was not cached, written to a cache, and read from one", () => {
    const result = {
      uncached_input_tokens: 100,
      cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 3 },
      cache_read_input_tokens: 50,
      output_tokens: 7,
      api_key_id: 'apikey_1',
      model: 'claude-sonnet-4-5',
    };
    const bucket = {
      starting_at: '2026-11-01T00:00:00Z',
      ending_at: '2026-11-02T00:00:00Z',
      results: [result],
    };
    const json = JSON.stringify({ data: [bucket], has_more: false, next_page: null });
    const csv = [
      'usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed',
      '2026-11-01,claude-sonnet-4-5,apikey_1,Default,standard,≤ 200k,100,20,3,50,7,0,global,',
    ].join('\n');
    const expected = {
      startMs: FROM_MS,
      endMs: FROM_MS + DAY_MS,
      model: 'claude-sonnet-4-5',
      key: 'apikey_1',
      input: 173n,
      cachedInput: 50n,
      output: 7n,
    };
    assert.deepEqual(readExport('anthropic', json), [expected]);
    assert.deepEqual(readExport('anthropic', csv), [expected]);
  });

  for (const [what, text, problem] of [
    ['is cut off', openAiJson(OPENAI_RESULT).slice(0, -3), /no JSON/],
    ['has pages that follow', openAiJson(OPENAI_RESULT).replace('false', 'true'), /not whole/],
    ['is a list of costs', '{"object":"page","data":[{"results":[]}]}', /not openai's/],
    ['is of another provider', 'usage_date_utc,model_version\n2026-11-01,m', /no column start_time/],
    ['does not tell models apart', openAiJson({ ...OPENAI_RESULT, model: null }), /grouped by model/],
    ['counts below zero', openAiJson({ ...OPENAI_RESULT, input_tokens: -1 }), /no count/],
    ['counts in fractions', openAiJson({ ...OPENAI_RESULT, output_tokens: 1.5 }), /no count/],
    ['is empty', '', /no column/],
    ['is a table of unequal rows', 'a,b\n1', /no CSV/],
  ] as const) {
    test(`an export that ${what} is refused`, () => {
      assert.throws(
        () => readExport('openai', text),
        (error) => error instanceof ExportError && problem.test(error.message),
      );
    });
  }
});

describe('reconciliation', () => {
  const own = (of: Partial<OwnUsage>): OwnUsage => ({
    model: 'gpt-4.1',
    credentialId: 'crd_1',
    input: 1_000n,
    cachedInput: 800n,
    output: 500n,
    calls: 5n,
    costUsd: '0.01',
    ...of,
  });
  const names = {
    credential: (id: string) => (id === 'crd_1' ? 'main' : id),
    key: (theirs: string) => (theirs === 'key_abc' ? 'main' : theirs),
  };

  test('what both sides know alike has no drift: dated models and renamed keys are the same', () => {
    const [row, ...more] = compare(readExport('openai', openAiJson(OPENAI_RESULT)), [own({})], names);
    assert.deepEqual(more, []);
    assert.deepEqual([row?.model, row?.key, row?.driftBasisPoints], ['gpt-4.1', 'main', 0]);
  });

  test('a token more or less is drift, and so is what one side alone knows', () => {
    const rows = readExport(
      'openai',
      openAiJson(OPENAI_RESULT, { ...OPENAI_RESULT, api_key_id: 'key_stolen' }),
    );
    const drifts = compare(rows, [own({ output: 499n }), own({ credentialId: 'crd_2', model: 'o3' })], names);
    assert.deepEqual(
      drifts.map(({ model, key, drift, driftBasisPoints }) => [model, key, drift.output, driftBasisPoints]),
      [
        ['gpt-4.1', 'key_stolen', 500n, 10_000],
        ['gpt-4.1', 'main', 1n, 7],
        ['o3', 'crd_2', -500n, 10_000],
      ],
    );
  });

  test('an export that does not tell keys apart is compared with all credentials together', () => {
    const rows = readExport(
      'openai',
      openAiJson({
        ...OPENAI_RESULT,
        api_key_id: null,
        input_tokens: 2_000,
        input_cached_tokens: 1_600,
        output_tokens: 1_000,
      }),
    );
    const [row, ...more] = compare(
      rows,
      [own({}), own({ credentialId: 'crd_2', costUsd: '0.020000001' })],
      names,
    );
    assert.deepEqual(more, []);
    assert.deepEqual(
      [row?.key, row?.driftBasisPoints, row?.ours?.costUsd, row?.ours?.calls],
      ['all', 0, '0.030000001', 10n],
    );
  });

  test('an export of the wrong month is refused, and says which it is of', () => {
    const rows = readExport('openai', openAiJson(OPENAI_RESULT));
    checkPeriod(rows, period);
    const october = { fromMs: Date.UTC(2026, 9, 1), toMs: FROM_MS };
    assert.throws(() => checkPeriod(rows, october), /usage of 2026-11-01, and 2026-10-01 to 2026-11-01/);
    assert.throws(() => checkPeriod([], period), /no usage/);
  });
});
