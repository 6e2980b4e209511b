import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSecret } from '@keyfold/protocol';
import { redact } from './redact.ts';

test('whatever looks like a secret is taken out, wherever it stands', () => {
  const key = formatSecret('live', new Uint8Array(32).fill(9));
  for (const secret of [key, 'sk-proj-abcDEF123456', `AIza${'x'.repeat(35)}`, 'Bearer abc.def.ghi']) {
    const text = redact(`before "${secret}" after`);
    assert.doesNotMatch(text, new RegExp(secret.replaceAll('.', '\\.')));
    assert.match(text, /^before "/);
    assert.match(text, /" after$/);
  }
  assert.equal(redact('postgres://user:pass@db.example/keyfold'), 'postgres://[redacted]@db.example/keyfold');
});

test('ordinary text passes as it is', () => {
  for (const text of ['the task-1 list', 'https://api.openai.com/v1', 'kf_ is our prefix', 'ask-me']) {
    assert.equal(redact(text), text);
  }
});
