import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERRORS, type ErrorCode, formatSecret } from '@keyfold/protocol';
import fc from 'fast-check';
import { type ScriptedAnswer, startStandIn } from '../test/stand-in-server.ts';
import {
  AuthenticationError,
  BudgetExhaustedError,
  ConflictError,
  InvalidRequestError,
  KeyfoldError,
  NotFoundError,
  PermissionError,
  RateLimitError,
  UnavailableError,
  toKeyfoldError,
} from './errors.ts';

const SECRET = formatSecret('live', new Uint8Array(32).fill(7));

async function errorOf(answer: ScriptedAnswer): Promise<KeyfoldError> {
  await using server = await startStandIn(answer);
  return toKeyfoldError(await fetch(server.url));
}

describe('the error that an answer stands for', () => {
  test("is read from OpenAI's error object, as model calls are refused", async () => {
    const error = await errorOf({
      status: 402,
      headers: { 'x-request-id': 'req_1', 'x-should-retry': 'false' },
      body: {
        error: {
          message: 'The day budget of the key has no room.',
          type: 'insufficient_quota',
          param: null,
          code: 'budget_exhausted',
          scope: 'key',
          period: 'day',
          resets_at: '2026-11-24T00:00:00.000Z',
        },
      },
    });
    assert.ok(error instanceof BudgetExhaustedError);
    assert.equal(error.name, 'BudgetExhaustedError');
    assert.equal(error.message, 'The day budget of the key has no room.');
    const { status, code, param, requestId, retryAfterMs, shouldRetry, facts } = error;
    assert.deepEqual(
      { status, code, param, requestId, retryAfterMs, shouldRetry },
      {
        status: 402,
        code: 'budget_exhausted',
        param: undefined,
        requestId: 'req_1',
        retryAfterMs: undefined,
        shouldRetry: false,
      },
    );
    assert.deepEqual(facts, { scope: 'key', period: 'day', resets_at: '2026-11-24T00:00:00.000Z' });
  });

  test('is read from a problem (RFC 9457), as the management API refuses', async () => {
    const error = await errorOf({
      status: 400,
      headers: { 'content-type': 'application/problem+json' },
      body: {
        type: 'urn:keyfold:error:invalid_request',
        title: 'The request is malformed.',
        status: 400,
        detail: "'name': is too long",
        code: 'invalid_request',
        request_id: 'req_2',
        param: 'name',
      },
    });
    assert.ok(error instanceof InvalidRequestError);
    assert.deepEqual(
      [error.message, error.code, error.param, error.requestId, error.facts],
      ["'name': is too long", 'invalid_request', 'name', 'req_2', {}],
    );
  });

  test('is read from the refusal of /v1/keys/validate', async () => {
    const body = { valid: false, error: { code: 'key_expired', message: 'The key has expired.' } };
    const error = await errorOf({ status: 401, body });
    assert.ok(error instanceof AuthenticationError);
    assert.deepEqual([error.message, error.code], ['The key has expired.', 'key_expired']);
  });

  test('tells how long to wait, and that waiting helps', async () => {
    const headers = { 'retry-after': '3' };
    const error = await errorOf({ status: 429, headers, body: { code: 'rate_limit_exceeded', limit: 60 } });
    assert.ok(error instanceof RateLimitError);
    assert.deepEqual([error.retryAfterMs, error.shouldRetry, error.facts], [3_000, true, { limit: 60 }]);
  });

  test('is made of the status alone where the answer is not from Keyfold', async () => {
    for (const body of ['<html>Bad Gateway</html>', '', '[]', 'null', '"text"', '{"error":"text"}']) {
      const error = await errorOf({ status: 502, body });
      assert.ok(error instanceof UnavailableError);
      assert.deepEqual([error.message, error.code], ['The server answered 502.', 'http_502']);
    }
    assert.equal((await errorOf({ status: 404, body: '?' })).code, 'http_404');
  });

  test('is not read beyond a limit, however much the server sends', async () => {
    const error = await errorOf({ status: 500, body: { detail: 'x'.repeat(200_000) } });
    assert.equal(error.message, 'The server answered 500.');
    const long = await errorOf({
      status: 500,
      body: { detail: 'x'.repeat(20_000), more: 'y'.repeat(20_000) },
    });
    assert.equal(long.message.length, 2_000);
    assert.equal(String(long.facts['more']).length, 2_000);
  });

  test('has the class of its status, for every code of the registry', async () => {
    const classes: Readonly<Record<number, typeof KeyfoldError>> = {
      401: AuthenticationError,
      402: BudgetExhaustedError,
      403: PermissionError,
      404: NotFoundError,
      408: UnavailableError,
      409: ConflictError,
      422: ConflictError,
      429: RateLimitError,
    };
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const { status } = ERRORS[code];
      const error = await toKeyfoldError(Response.json({ error: { code } }, { status }));
      const expected = classes[status] ?? (status >= 500 ? UnavailableError : InvalidRequestError);
      assert.equal(error.constructor, expected, code);
      assert.equal(error.name, expected.name);
      assert.ok(error instanceof KeyfoldError && error instanceof Error);
      const isWorthIt = [408, 429, 500, 502, 503, 504].includes(status) || code === 'idempotency_in_flight';
      assert.equal(error.shouldRetry, isWorthIt, code);
    }
  });

  test('never holds a secret, wherever the server has put it', async () => {
    const text = fc.string().map((around) => `${around} ${SECRET} ${around}`);
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.constantFrom('message', 'detail', 'title', 'other'),
        async (quoted, field) => {
          for (const body of [{ [field]: quoted }, { error: { [field]: quoted } }]) {
            const error = await toKeyfoldError(Response.json(body, { status: 400 }));
            assert.ok(!JSON.stringify([error.message, error.stack, error.facts, error]).includes(SECRET));
          }
        },
      ),
    );
  });
});
