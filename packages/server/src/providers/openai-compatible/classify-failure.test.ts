import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailureClass } from '../provider.ts';
import { classifyFailure } from './classify-failure.ts';

function classify(status: number, error?: object | string): FailureClass {
  const body = typeof error === 'object' ? JSON.stringify({ error }) : (error ?? '');
  return classifyFailure(status, Buffer.from(body));
}

describe('classifyFailure', () => {
  test('a wrong call is wrong everywhere', () => {
    for (const status of [400, 413, 415, 422, 499]) {
      assert.deepEqual(classify(status, { code: 'context_length_exceeded' }), {
        kind: 'request',
        retry: 'never',
      });
    }
  });

  test('what is wrong with our account may be right with another target', () => {
    assert.deepEqual(classify(401, { code: 'invalid_api_key' }), { kind: 'credential', retry: 'elsewhere' });
    assert.deepEqual(classify(403), { kind: 'permission', retry: 'elsewhere' });
    assert.deepEqual(classify(402), { kind: 'quota', retry: 'elsewhere' });
    assert.deepEqual(classify(404, { code: 'model_not_found' }), { kind: 'model', retry: 'elsewhere' });
    assert.deepEqual(classify(400, { code: 'model_not_found' }), { kind: 'model', retry: 'elsewhere' });
  });

  test('too many calls and an empty account are told apart', () => {
    assert.deepEqual(classify(429, { code: 'rate_limit_exceeded' }), {
      kind: 'rate_limit',
      retry: 'elsewhere',
    });
    assert.deepEqual(classify(429, { code: 'insufficient_quota' }), { kind: 'quota', retry: 'elsewhere' });
    assert.deepEqual(classify(429, { type: 'insufficient_quota', code: null }), {
      kind: 'quota',
      retry: 'elsewhere',
    });
  });

  test('trouble at the provider may pass', () => {
    for (const status of [408, 409, 500, 502, 504, 520]) {
      assert.deepEqual(classify(status), { kind: 'server', retry: 'anywhere' });
    }
    for (const status of [503, 529])
      assert.deepEqual(classify(status), { kind: 'overload', retry: 'anywhere' });
  });

  test('a body that cannot be read does not matter', () => {
    for (const body of [
      '',
      '<html>',
      '[]',
      '{"error":',
      '{"error":"x"}',
      '{"error":null}',
      '{"error":[1]}',
    ]) {
      assert.deepEqual(classify(429, body), { kind: 'rate_limit', retry: 'elsewhere' });
    }
  });
});
