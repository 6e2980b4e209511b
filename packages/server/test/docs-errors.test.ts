import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ERRORS, type ErrorDefinition } from '@keyfold/protocol';

const text = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');

const MENDED_BY: Readonly<Record<ErrorDefinition['fault'], string>> = {
  client: 'the caller',
  operator: 'the operator of Keyfold',
  provider: 'the provider',
  capacity: 'the operator, or time',
  keyfold: "Keyfold's developers",
};
const TRY_AGAIN: Readonly<Record<ErrorDefinition['retry'], RegExp>> = {
  never: /^never/,
  'after-change': /^after/,
  later: /^later/,
};

function readSections(): Map<string, string> {
  const sections = text.split(/^### /m).slice(1);
  return new Map(sections.map((section) => [section.slice(0, section.indexOf('\n')), section]));
}

test('docs/errors.md has one section for every code and none for any other', () => {
  const headings = [...text.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
  assert.deepEqual(headings.toSorted(), Object.keys(ERRORS).toSorted());
});

test('each section says the status, who mends it, and whether to try again, as the registry has them', () => {
  for (const [code, section] of readSections()) {
    const definition: ErrorDefinition = ERRORS[code as keyof typeof ERRORS];
    const line = (name: string) => new RegExp(`^- ${name}: (.+)$`, 'm').exec(section)?.[1] ?? '';
    assert.equal(line('status'), String(definition.status), code);
    assert.equal(line('mended by'), MENDED_BY[definition.fault], code);
    assert.match(line('try again'), TRY_AGAIN[definition.retry], code);
    assert.ok(line('what to do').length > 10, code);
  }
});
