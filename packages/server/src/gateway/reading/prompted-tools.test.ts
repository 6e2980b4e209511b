import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import { countPromptedTools } from './prompted-tools.ts';

test('tools that a vendor has described itself are counted, those of the client and of namespaces are not', () => {
  const count = (tools: unknown, endpoint: 'messages' | 'responses' = 'messages') =>
    countPromptedTools(endpoint, modelCall({ model: 'm', tools }).scan);
  for (const none of [undefined, null, 'x', [], [{ name: 'f' }, { type: null }, { type: 'custom' }]]) {
    assert.equal(count(none), 0);
  }
  assert.equal(count([null, 7, { type: 'custom' }, { type: 'bash_20250124' }, { type: 'of_tomorrow' }]), 2);
  const own = { type: 'function', name: 'f' };
  assert.equal(
    count([own, { type: 'computer' }, { type: 'namespace', tools: [own, { type: 'shell' }] }], 'responses'),
    2,
  );
});
