import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { classifyFailure } from './classify-failure.ts';

interface ErrorFixture {
  readonly status: number;
  readonly kind: string;
  readonly body: { readonly error: { readonly message: string } };
}

const ERRORS = JSON.parse(
  readFileSync(new URL('__fixtures__/errors.json', import.meta.url), 'utf8'),
) as readonly ErrorFixture[];

describe('classifyFailure', () => {
  for (const { status, kind, body } of ERRORS) {
    test(`${status} "${body.error.message}" is of kind ${kind}`, () => {
      assert.equal(classifyFailure(status, Buffer.from(JSON.stringify(body))).kind, kind);
    });
  }

  test('words of the client that come back in a message change nothing', () => {
    const message = 'messages[0]: Model Not Exist';
    const body = Buffer.from(JSON.stringify({ error: { message } }));
    assert.equal(classifyFailure(400, body).kind, 'request');
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
      assert.equal(classifyFailure(400, Buffer.from(body)).kind, 'request');
      assert.equal(classifyFailure(402, Buffer.from(body)).kind, 'quota');
    }
  });
});
