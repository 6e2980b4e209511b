import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../providers/provider.ts';
import { Denial } from '../../kernel/denial.ts';
import { parseCall } from '../reading/parse-call.ts';
import { clampOutput } from './clamp-output.ts';

function clamped(endpoint: Endpoint, body: string): string {
  const call = parseCall({ endpoint, model: 'm' }, { body: Buffer.from(body), query: 'alt=sse' });
  assert.ok(!(call instanceof Denial));
  const less = clampOutput(call, 50);
  assert.equal(less.scan.body, less.body);
  return less.body.toString();
}

const CASES: readonly (readonly [Endpoint, string, string])[] = [
  ['chat.completions', '{"model":"m", "max_tokens": 1e2,"x":1}', '{"model":"m", "max_tokens": 50,"x":1}'],
  [
    'chat.completions',
    '{"model":"m","max_completion_tokens":100,"max_tokens":20}',
    '{"model":"m","max_completion_tokens":50,"max_tokens":20}',
  ],
  ['completions', '{"model":"m","prompt":"p","max_tokens":51}', '{"model":"m","prompt":"p","max_tokens":50}'],
  ['responses', '{"model":"m","max_output_tokens":4096}', '{"model":"m","max_output_tokens":50}'],
  [
    'messages',
    '{"model":"m","max_tokens":4096,"messages":[]}',
    '{"model":"m","max_tokens":50,"messages":[]}',
  ],
  [
    'generateContent',
    '{"generation_config":{"max_output_tokens":99,"topK":3}}',
    '{"generation_config":{"max_output_tokens":50,"topK":3}}',
  ],
];

for (const [endpoint, body, expected] of CASES) {
  test(`the limit of a call of ${endpoint} is replaced where it stands: ${body}`, () => {
    assert.equal(clamped(endpoint, body), expected);
  });
}

test('a call that names no limit is left to the cap that its estimate has', () => {
  const body = '{"model":"m","max_tokens":null}';
  assert.equal(clamped('chat.completions', body), body);
});
