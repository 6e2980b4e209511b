import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AUDIT_ACTIONS } from '../src/audit/audit-event.ts';

const text = readFileSync(new URL('../../../docs/audit-events.md', import.meta.url), 'utf8');

test('docs/audit-events.md has one section for every action and none for any other', () => {
  const headings = [...text.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
  assert.deepEqual(headings.toSorted(), [...AUDIT_ACTIONS].toSorted());
});

test('each section says what the record tells', () => {
  for (const section of text.split(/^### /m).slice(1)) {
    const [name = '', ...lines] = section.split('\n');
    assert.ok(
      lines.some((line) => line.trim() !== '' && !line.startsWith('#')),
      name,
    );
  }
});
