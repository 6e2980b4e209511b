import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { failureClass } from './failure-class.ts';

describe('failureClass', () => {
  test('a wrong call is never tried again, and the same target only where it may have recovered', () => {
    assert.deepEqual(failureClass('request'), { kind: 'request', retry: 'never' });
    for (const kind of ['credential', 'model', 'rate_limit', 'quota'] as const) {
      assert.deepEqual(failureClass(kind), { kind, retry: 'elsewhere' });
    }
    for (const kind of ['overload', 'server'] as const) {
      assert.deepEqual(failureClass(kind), { kind, retry: 'anywhere' });
    }
  });
});
