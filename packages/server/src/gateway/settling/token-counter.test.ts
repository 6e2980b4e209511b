import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dialect } from '../../providers/provider.ts';
import { TokenCounter } from './token-counter.ts';

const JOB = {
  dialect: 'openai',
  request: Buffer.from('{"messages":[]}'),
  streamed: Buffer.from('data: {"choices":[{"index":0,"delta":{"content":" word word"}}]}\n\n'),
} as const;

test('counts beside the event loop, and answers each who waits', async (context) => {
  const counter = new TokenCounter(() => {});
  context.after(() => counter.close());
  const all = await Promise.all(Array.from({ length: 20 }, () => counter.count(JOB)));
  for (const counted of all) {
    assert.ok(counted !== undefined);
    assert.equal(counted.outputTokens, 3 + 256);
    assert.ok(counted.inputTokens > 1_000 && counted.inputTokens < 1_020);
  }
});

test('a thread that dies answers nobody wrongly, and the next count starts another', async (context) => {
  const deaths: Error[] = [];
  const counter = new TokenCounter((error) => deaths.push(error));
  context.after(() => counter.close());
  const unknown = 'klingon' as Dialect;
  assert.equal(await counter.count({ ...JOB, dialect: unknown }), undefined);
  assert.equal(deaths.length, 1);
  assert.equal((await counter.count(JOB))?.outputTokens, 259);
});

test('more than may wait are told at once that nothing was counted', async (context) => {
  const counter = new TokenCounter(() => {});
  context.after(() => counter.close());
  const all = await Promise.all(Array.from({ length: 300 }, () => counter.count(JOB)));
  assert.equal(all.filter((counted) => counted === undefined).length, 300 - 256);
});

test('whoever waits when it is closed is told that nothing was counted', async () => {
  const counter = new TokenCounter(() => {});
  const waiting = counter.count(JOB);
  counter.close();
  assert.equal(await waiting, undefined);
});
