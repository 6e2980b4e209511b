import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { classifyFailure as classifyCompatible } from '../openai-compatible/classify-failure.ts';
import { classifyFailure } from './classify-failure.ts';

interface ErrorFixture {
  readonly status: number;
  readonly kind: string;
  readonly body: { readonly error: { readonly type: string; readonly code: string | null } };
}

const ERRORS = JSON.parse(
  readFileSync(new URL('__fixtures__/errors.json', import.meta.url), 'utf8'),
) as readonly ErrorFixture[];

describe('classifyFailure', () => {
  for (const { status, kind, body } of ERRORS) {
    test(`${status} ${body.error.type} (${body.error.code}) is of kind ${kind}`, () => {
      assert.equal(classifyFailure(status, Buffer.from(JSON.stringify(body))).kind, kind);
    });
  }

  test('a code that says nothing leaves the status, as at every compatible server', () => {
    for (const error of [null, 'x', [1], {}, { code: 'constructor', type: '__proto' }, { code: 7 }]) {
      const body = Buffer.from(JSON.stringify({ error }));
      for (const status of [302, 400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504]) {
        assert.deepEqual(classifyFailure(status, body), classifyCompatible(status, body), `${status}`);
      }
    }
  });

  test('what is no error of an API has no code', () => {
    const body = Buffer.from('{"error":{"code":"insufficient_quota"}}');
    assert.equal(classifyFailure(302, body).kind, 'server');
  });
});
