import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEncrypted, writeEncrypted } from './encrypted-content.ts';

test('a signature comes back as whose it is, and of what', () => {
  for (const by of ['openai', 'anthropic', 'gemini'] as const) {
    for (const signed of ['reasoning', 'redacted', 'text'] as const) {
      const signature = { by, value: 'gAAA+/=.x' };
      assert.deepEqual(readEncrypted(writeEncrypted(signed, signature)), { signed, signature });
    }
  }
});

test('what OpenAI has encrypted itself is its own', () => {
  const signature = { by: 'openai', value: 'gAAAAABo' } as const;
  assert.deepEqual(readEncrypted('gAAAAABo'), { signed: 'reasoning', signature });
  assert.equal(writeEncrypted('reasoning', signature), 'gAAAAABo');
});
