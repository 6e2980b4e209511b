import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, chatBody, describeGateway, issueKey, onlyCall } from './support.ts';

const CONTENT = 'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n';
const RUNNING_TOTAL =
  'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\n';
const GUESSED = ['usage_missing', 'estimated'];

describeGateway('when the provider ends', { kinds: ['sqlite'] }, (gateway) => {
  for (const status of [400, 403, 404, 422, 429, 500, 503, 529]) {
    test(`with ${status}, it says that it generated nothing, and nothing is charged`, async () => {
      const row = await endWith(status);
      assert.deepEqual([Number(row['cost_usd']), row['flags'], row['provenance']], [0, [], 'provider']);
    });
  }

  for (const status of [300, 307, 408, 501, 502, 504, 520, 522, 524, 527]) {
    test(`with ${status}, which may cut off what is billed, the hold is charged`, async () => {
      const row = await endWith(status);
      assert.notEqual(Number(row['cost_usd']), 0);
      assert.deepEqual(
        [row['cost_usd'], row['flags'], row['provenance']],
        [row['held_usd'], GUESSED, 'estimated'],
      );
    });
  }

  async function endWith(status: number) {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    gateway().provider.script({ kind: 'status', status, headers: { location: 'http://other.example' } });
    assert.notEqual((await call(gateway(), key.secret)).status, 200);
    return onlyCall(gateway(), key);
  }

  test('a stream in order but without its last word, a running total is not the usage', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    gateway().provider.script({ kind: 'raw-stream', pieces: [CONTENT, RUNNING_TOTAL] });
    const answer = await call(gateway(), key.secret, chatBody({ stream: true }));
    assert.equal(answer.text, CONTENT, 'the client sees a normal end');
    const row = await onlyCall(gateway(), key);
    assert.deepEqual(
      [row['cost_usd'], row['flags'], row['error']],
      [row['held_usd'], ['stream_incomplete', 'estimated'], null],
    );
  });

  test('a stream in order with its last word, the usage is charged', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    const pieces = [CONTENT, RUNNING_TOTAL, 'data: [DONE]\n\n'];
    gateway().provider.script({ kind: 'raw-stream', pieces });
    await call(gateway(), key.secret, chatBody({ stream: true }));
    const row = await onlyCall(gateway(), key);
    assert.deepEqual([row['cost_usd'], row['flags']], ['0.000003', []]);
  });
});
