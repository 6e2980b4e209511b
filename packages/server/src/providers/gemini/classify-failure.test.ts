import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { FailureClass } from '../provider.ts';
import { classifyFailure } from './classify-failure.ts';

const errors = JSON.parse(
  readFileSync(new URL('__fixtures__/errors.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, { readonly status: number; readonly body: object }>>;

function classify(name: string): FailureClass {
  const error = errors[name];
  assert.ok(error, name);
  return classifyFailure(error.status, Buffer.from(JSON.stringify(error.body)));
}

describe('classifyFailure', () => {
  test('a wrong call is wrong everywhere', () => {
    assert.deepEqual(classify('invalid-argument'), { kind: 'request', retry: 'never' });
    for (const status of [400, 413, 415, 422, 499]) {
      assert.deepEqual(classifyFailure(status, Buffer.from('{}')), { kind: 'request', retry: 'never' });
    }
  });

  test('a key that is not valid is our fault, though it comes as an invalid argument', () => {
    assert.deepEqual(classify('key-invalid'), { kind: 'credential', retry: 'elsewhere' });
  });

  test('what is wrong with our account may be right with another target', () => {
    assert.deepEqual(classify('unauthenticated'), { kind: 'credential', retry: 'elsewhere' });
    for (const name of ['location', 'permission-denied']) {
      assert.deepEqual(classify(name), { kind: 'permission', retry: 'elsewhere' }, name);
    }
    for (const reason of ['API_KEY_SERVICE_BLOCKED', 'CONSUMER_SUSPENDED', 'SERVICE_DISABLED']) {
      const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }];
      const body = JSON.stringify({ error: { code: 400, status: 'INVALID_ARGUMENT', details } });
      assert.equal(classifyFailure(400, Buffer.from(body)).kind, 'credential', reason);
    }
    assert.deepEqual(classify('not-found'), { kind: 'model', retry: 'elsewhere' });
  });

  test('a reason counts only where Google says that it is one', () => {
    for (const details of [
      [{ '@type': 'type.googleapis.com/google.rpc.Help', reason: 'API_KEY_INVALID' }],
      [{ reason: 'API_KEY_INVALID' }],
      [null, 7, 'API_KEY_INVALID'],
      { reason: 'API_KEY_INVALID' },
    ]) {
      const body = JSON.stringify({ error: { message: 'API_KEY_INVALID', details } });
      assert.equal(classifyFailure(400, Buffer.from(body)).kind, 'request');
    }
  });

  test('too many calls and an empty account are told apart', () => {
    assert.deepEqual(classify('rate'), { kind: 'rate_limit', retry: 'elsewhere', retryAfterMs: 22_000 });
    assert.deepEqual(classify('spent'), { kind: 'quota', retry: 'elsewhere' });
    assert.deepEqual(classify('billing-disabled'), { kind: 'quota', retry: 'elsewhere' });
  });

  test('says when the same may succeed, where Google does', () => {
    const refused = (retryDelay: unknown) => {
      const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }];
      const body = JSON.stringify({ error: { code: 429, status: 'RESOURCE_EXHAUSTED', details } });
      return classifyFailure(429, Buffer.from(body));
    };
    assert.equal(refused('37s').retryAfterMs, 37_000);
    assert.equal(refused('0.5021s').retryAfterMs, 503);
    for (const wrong of ['37', '-1s', 'soon', '1e9s', 37, null, {}]) {
      assert.deepEqual(refused(wrong), { kind: 'rate_limit', retry: 'elsewhere' });
    }
  });

  test('trouble at the provider may pass', () => {
    for (const name of ['internal', 'deadline']) {
      assert.deepEqual(classify(name), { kind: 'server', retry: 'anywhere' }, name);
    }
    assert.deepEqual(classify('unavailable'), { kind: 'overload', retry: 'anywhere' });
  });

  test('the status alone says the same where the body says nothing', () => {
    for (const [name, { status }] of Object.entries(errors)) {
      if (['key-invalid', 'location', 'spent', 'billing-disabled'].includes(name)) continue;
      for (const body of ['', '<html>', '[]', '{"error":', '{"error":"x"}', '{"error":null}', '[[]]']) {
        assert.equal(classifyFailure(status, Buffer.from(body)).kind, classify(name).kind, name);
      }
    }
    for (const status of [408, 409, 500, 502, 504, 520]) {
      assert.equal(classifyFailure(status, Buffer.alloc(0)).kind, 'server');
    }
    assert.equal(classifyFailure(529, Buffer.alloc(0)).kind, 'overload');
    assert.equal(classifyFailure(402, Buffer.alloc(0)).kind, 'quota');
  });

  test('an answer that is neither success nor error comes from no API server', () => {
    const body = Buffer.from(JSON.stringify(errors['key-invalid']?.body));
    for (const status of [100, 204, 302]) assert.equal(classifyFailure(status, body).kind, 'server');
  });

  test('an error in place of a stream is read though it stands in a list', () => {
    const body = Buffer.from(JSON.stringify([errors['key-invalid']?.body]));
    assert.equal(classifyFailure(400, body).kind, 'credential');
  });

  test('bytes that are cut anywhere are judged, and not thrown at', () => {
    for (const { status, body } of Object.values(errors)) {
      const bytes = Buffer.from(JSON.stringify(body));
      for (let cut = 0; cut <= bytes.length; cut++) {
        assert.ok(classifyFailure(status, bytes.subarray(0, cut)).kind);
      }
    }
  });
});
