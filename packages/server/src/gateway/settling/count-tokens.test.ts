import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { providerDialect } from '../../dialects/registry.ts';
import { countGenerated, countRequest } from './count-tokens.ts';

const openai = providerDialect('openai');
/** Added to every count. */
const IN_FLIGHT = 256;
const FRAMING = 1_000;

function streamOf(...deltas: readonly object[]): Buffer {
  const events = deltas.map((delta) => ({ id: 'c', model: 'm', choices: [{ index: 0, delta }] }));
  return Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
}

describe('counting tokens from bytes', () => {
  test('counts text, reasoning and the arguments of calls, half as much again as the vocabulary says', () => {
    // " word" is one token of the vocabulary.
    const words = ' word'.repeat(100);
    assert.equal(countGenerated(openai, streamOf({ content: words })), 150 + IN_FLIGHT);
    assert.equal(countGenerated(openai, streamOf({ reasoning_content: words })), 150 + IN_FLIGHT);
    const call = { index: 0, id: 'call', type: 'function', function: { name: 'find', arguments: words } };
    assert.ok(countGenerated(openai, streamOf({ tool_calls: [call] })) > 150 + IN_FLIGHT);
  });

  test('a text in many events counts as one', () => {
    const pieces = Array.from({ length: 100 }, () => ({ content: 'wo' })).flatMap((wo) => [
      wo,
      { content: 'rd ' },
    ]);
    assert.equal(
      countGenerated(openai, streamOf(...pieces)),
      countGenerated(openai, streamOf({ content: 'word '.repeat(100) })),
    );
  });

  test('an event that was cut off counts with all of it, and nothing streamed leaves what was under way', () => {
    const whole = streamOf({ content: ' word'.repeat(100) });
    const [cut, rest] = [whole.subarray(0, whole.length - 9), streamOf({ content: ' word' })];
    assert.ok(countGenerated(openai, cut) >= 150 + IN_FLIGHT);
    assert.ok(countGenerated(openai, Buffer.concat([rest, cut])) >= 150 + IN_FLIGHT);
    assert.equal(countGenerated(openai, Buffer.alloc(0)), IN_FLIGHT);
  });

  test('never counts more tokens than there are bytes', () => {
    assert.equal(countGenerated(openai, streamOf({ content: 'ß' })), 2 + IN_FLIGHT);
  });

  test('marks of the vocabulary are text', () => {
    assert.ok(countGenerated(openai, streamOf({ content: '<|endoftext|>' })) > 1 + IN_FLIGHT);
  });

  test('a long run of one letter takes no time by its square', () => {
    const before = performance.now();
    assert.ok(countRequest(Buffer.from('a'.repeat(1_000_000))) > FRAMING);
    assert.ok(performance.now() - before < 5_000);
  });
});
