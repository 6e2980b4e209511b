import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { classifyFailure } from './classify-failure.ts';

interface ErrorFixture {
  readonly status: number;
  readonly kind: string;
  readonly body: { readonly error: { readonly type: string; readonly details?: { error_code: string } } };
}

const ERRORS = JSON.parse(
  readFileSync(new URL('__fixtures__/errors.json', import.meta.url), 'utf8'),
) as readonly ErrorFixture[];

function kindOf(status: number, body: unknown = ''): string {
  return classifyFailure(status, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))).kind;
}

describe('classifyFailure', () => {
  for (const { status, kind, body } of ERRORS) {
    const code = body.error.details?.error_code;
    test(`${status} ${body.error.type}${code === undefined ? '' : ` (${code})`} is of kind ${kind}`, () => {
      assert.equal(kindOf(status, body), kind);
    });
  }

  test('only what may be right elsewhere, or later, is tried again', () => {
    const retry = (status: number) => classifyFailure(status, Buffer.alloc(0)).retry;
    for (const status of [400, 413, 422]) assert.equal(retry(status), 'never');
    for (const status of [401, 402, 403, 404, 429]) assert.equal(retry(status), 'elsewhere');
    for (const status of [408, 409, 500, 502, 503, 504, 529]) assert.equal(retry(status), 'anywhere');
  });

  test('the status alone tells enough where the body cannot be read', () => {
    const statuses: readonly [number, string][] = [
      [400, 'request'],
      [401, 'credential'],
      [402, 'quota'],
      [403, 'permission'],
      [404, 'model'],
      [413, 'request'],
      [429, 'rate_limit'],
      [500, 'server'],
      [503, 'overload'],
      [504, 'server'],
      [529, 'overload'],
    ];
    for (const body of [
      '',
      '<html>',
      '[]',
      '{"error":',
      '{"error":"x"}',
      '{"error":null}',
      '{"error":[1]}',
    ]) {
      for (const [status, kind] of statuses) assert.equal(kindOf(status, body), kind);
    }
  });

  test('a type that says more than the status counts', () => {
    assert.equal(kindOf(500, { error: { type: 'overloaded_error' } }), 'overload');
    assert.equal(kindOf(400, { error: { type: 'billing_error' } }), 'quota');
    assert.equal(kindOf(429, { error: { type: 'invalid_request_error' } }), 'rate_limit');
    assert.equal(kindOf(503, { error: { type: 'api_error' } }), 'overload');
  });

  test('words of the client that come back in a message change nothing', () => {
    const message = 'messages.0: You have reached your specified API usage limits';
    assert.equal(kindOf(400, { error: { type: 'invalid_request_error', message } }), 'request');
    assert.equal(
      kindOf(400, { error: { type: 'constructor', details: { error_code: '__proto' } } }),
      'request',
    );
  });

  test('whatever an error says, it has a kind', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), fc.json(), fc.jsonValue(), (status, text, error) => {
        for (const body of [text, JSON.stringify({ error })]) assert.match(kindOf(status, body), /^[a-z_]+$/);
      }),
    );
  });
});
