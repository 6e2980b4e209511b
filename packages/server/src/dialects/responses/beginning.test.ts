import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FirstToken } from '../first-token.ts';
import { ResponsesBeginning } from './beginning.ts';

function pushed(...types: readonly string[]): string {
  const beginning = new FirstToken(new ResponsesBeginning());
  const events = types.map((type) => `event: ${type}\ndata: {"type":"${type}"}\n\n`);
  return beginning.push(Buffer.from(events.join('')));
}

test('a response has not begun before the model says something', () => {
  assert.equal(pushed('response.created', 'response.queued', 'response.in_progress'), 'waiting');
  assert.equal(pushed('response.created', 'response.output_item.added'), 'begun');
  assert.equal(pushed('response.completed'), 'begun');
});

test('a response that fails before has failed', () => {
  assert.equal(pushed('response.created', 'response.failed'), 'failed');
  assert.equal(pushed('error'), 'failed');
});

test('the type is in the data where the event has no name', () => {
  const push = (data: string) =>
    new FirstToken(new ResponsesBeginning()).push(Buffer.from(`data: ${data}\n\n`));
  assert.equal(push('{"type":"response.created"}'), 'waiting');
  assert.equal(push('{"type": "error"}'), 'failed');
  assert.equal(push('{"delta":"x"}'), 'begun');
});
