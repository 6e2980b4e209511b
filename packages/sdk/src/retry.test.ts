import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERRORS } from '@keyfold/protocol';
import fc from 'fast-check';
import { ManualTiming } from '../test/manual-timing.ts';
import { type ScriptedAnswer, startStandIn } from '../test/stand-in-server.ts';
import { ATTEMPTS_MAX_DEFAULT, type RetryOptions, retryingFetch } from './retry.ts';

const FINE: ScriptedAnswer = { status: 200, body: { ok: true } };
const POST = { method: 'POST', body: '{"a":1}' };
const IDEMPOTENT_POST = { ...POST, headers: { 'idempotency-key': 'once' } };
const NO_WAIT = { instantBelowMs: 60_001 };

/** What came of one request, how often it was sent, and what was waited in between. */
async function ask(
  script: readonly ScriptedAnswer[],
  init: RequestInit | (() => RequestInit) = {},
  options: RetryOptions & { readonly path?: string } = {},
) {
  await using server = await startStandIn(...script);
  const timing = new ManualTiming(NO_WAIT);
  const { path = '', ...rest } = options;
  const send = retryingFetch({ timing, ...rest });
  const outcome = await send(server.url + path, typeof init === 'function' ? init() : init).then(
    async (response) => ({ status: response.status, text: await response.text() }),
    (error: unknown) => ({ error }),
  );
  return { ...outcome, requests: server.requests, waits: timing.waits };
}

describe('what is tried again', () => {
  test('is what may pass: 408, 429, 500, 502, 503, 504, and no other status of the registry', async () => {
    for (const status of new Set(Object.values(ERRORS).map(({ status }) => status))) {
      const { requests, ...rest } = await ask([{ status }, { status: 418 }]);
      const isRepeated = [408, 429, 500, 502, 503, 504].includes(status);
      assert.equal(requests.length, isRepeated ? 2 : 1, String(status));
      assert.ok('status' in rest);
      assert.equal(rest.status, isRepeated ? 418 : status);
    }
  });

  test('is a connection that broke', async () => {
    const { requests, ...rest } = await ask(['reset', 'reset', FINE]);
    assert.equal(requests.length, 3);
    assert.deepEqual(rest, { status: 200, text: '{"ok":true}', waits: [250, 500] });
  });

  test('ends after the attempts that are allowed, with what the last one brought', async () => {
    const answered = await ask([{ status: 500 }, { status: 502 }, { status: 503, body: 'third' }, FINE]);
    assert.equal(answered.requests.length, ATTEMPTS_MAX_DEFAULT);
    assert.deepEqual([answered], [{ ...answered, status: 503, text: 'third' }]);
    const silent = await ask(['reset'], {}, { attemptsMax: 2 });
    assert.equal(silent.requests.length, 2);
    assert.ok('error' in silent && silent.error instanceof TypeError);
    assert.equal((await ask([{ status: 500 }], {}, { attemptsMax: 1 })).requests.length, 1);
    for (const attemptsMax of [0, -1, 1.5, Number.NaN]) {
      assert.throws(() => retryingFetch({ attemptsMax }), RangeError);
    }
  });

  test('follows the advice of the server before anything else', async () => {
    const yes = { 'x-should-retry': 'true' };
    const no = { 'x-should-retry': 'false' };
    assert.equal((await ask([{ status: 429, headers: no }, FINE])).requests.length, 1);
    assert.equal((await ask([{ status: 400, headers: yes }, FINE])).requests.length, 2);
    assert.equal((await ask([{ status: 500, headers: yes }, FINE], POST)).requests.length, 2);
    assert.equal((await ask([{ status: 503, headers: no }, FINE], IDEMPOTENT_POST)).requests.length, 1);
    assert.equal((await ask([{ status: 200, headers: yes }, FINE])).requests.length, 1);
  });

  test('a conflict is one only while the same request is under way', async () => {
    const conflict = (code: string): ScriptedAnswer => ({ status: 409, body: { code, detail: 'Busy.' } });
    const inFlight = await ask([conflict('idempotency_in_flight'), FINE], IDEMPOTENT_POST);
    assert.equal(inFlight.requests.length, 2);
    const { requests, ...rest } = await ask([conflict('conflict'), FINE], IDEMPOTENT_POST);
    assert.equal(requests.length, 1);
    // The body was looked into and is still there.
    assert.deepEqual(rest, { status: 409, text: '{"code":"conflict","detail":"Busy."}', waits: [] });
  });
});

describe('what may have been done', () => {
  test('is not done again: a POST without an Idempotency-Key is repeated only when it was refused', async () => {
    for (const init of [POST, { ...POST, method: 'PATCH' }, { ...POST, method: 'post' }]) {
      for (const answer of [
        { status: 500 },
        { status: 502 },
        { status: 504 },
        { status: 408 },
        'reset',
      ] as const) {
        assert.equal((await ask([answer, FINE], init)).requests.length, 1, JSON.stringify(answer));
      }
      for (const status of [429, 503]) assert.equal((await ask([{ status }, FINE], init)).requests.length, 2);
    }
  });

  test('with an Idempotency-Key it is repeated, under the same one and with the same body', async () => {
    const { requests } = await ask(['reset', { status: 502 }, FINE], IDEMPOTENT_POST);
    assert.equal(requests.length, 3);
    for (const { headers, body, method } of requests) {
      assert.deepEqual([headers['idempotency-key'], body, method], ['once', POST.body, 'POST']);
    }
  });

  test('a model call is like any other POST: under an Idempotency-Key its answer is given again', async () => {
    for (const path of [
      '/v1/chat/completions',
      '/v1/messages?beta=true',
      '/v1beta/models/m:generateContent',
    ]) {
      assert.equal((await ask([{ status: 500 }, FINE], IDEMPOTENT_POST, { path })).requests.length, 2, path);
      assert.equal((await ask([{ status: 500 }, FINE], POST, { path })).requests.length, 1, path);
      const inFlight = { status: 409, body: { error: { code: 'idempotency_in_flight', message: 'Busy.' } } };
      assert.equal((await ask([inFlight, FINE], IDEMPOTENT_POST, { path })).requests.length, 2, path);
    }
  });

  test('methods that may be repeated are', async () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
      assert.equal((await ask(['reset', FINE], { method })).requests.length, 2, method);
    }
  });
});

describe('a body', () => {
  const bodies: Readonly<Record<string, () => RequestInit['body']>> = {
    text: () => 'abc',
    'a buffer': () => new TextEncoder().encode('abc').buffer,
    bytes: () => new TextEncoder().encode('abc'),
    'a blob': () => new Blob(['abc']),
    'form fields': () => new URLSearchParams({ abc: '' }),
  };
  for (const [name, make] of Object.entries(bodies)) {
    test(`that is ${name} is sent again as it was`, async () => {
      const { requests } = await ask(['reset', FINE], () => ({ ...IDEMPOTENT_POST, body: make() ?? null }));
      assert.equal(requests.length, 2);
      assert.equal(requests[0]?.body, requests[1]?.body);
      assert.match(requests[1]?.body ?? '', /^abc=?$/);
    });
  }

  test('that is a stream is sent once', async () => {
    const stream = () => new Blob(['abc']).stream();
    const init = (): RequestInit => ({ ...IDEMPOTENT_POST, body: stream(), duplex: 'half' });
    assert.equal((await ask([{ status: 503 }, FINE], init)).requests.length, 1);
    await using server = await startStandIn({ status: 503 }, FINE);
    const request = new Request(server.url, { ...IDEMPOTENT_POST });
    const response = await retryingFetch({ timing: new ManualTiming(NO_WAIT) })(request);
    assert.equal(response.status, 503);
  });

  test('a Request without one is sent again', async () => {
    await using server = await startStandIn({ status: 503 }, FINE);
    const send = retryingFetch({ timing: new ManualTiming(NO_WAIT) });
    assert.equal((await send(new Request(server.url, { headers: { a: 'b' } }))).status, 200);
    assert.equal(server.requests[1]?.headers['a'], 'b');
  });
});

describe('the pause', () => {
  test('is what the server asks for, in seconds or until a date by its own clock', async () => {
    const seconds = { status: 429, headers: { 'retry-after': '7' } };
    const date = 'Mon, 23 Nov 2026 10:00:00 GMT';
    const until = { status: 503, headers: { date, 'retry-after': 'Mon, 23 Nov 2026 10:00:42 GMT' } };
    const past = { status: 503, headers: { date, 'retry-after': 'Mon, 23 Nov 2026 09:00:00 GMT' } };
    assert.deepEqual((await ask([seconds, until, FINE])).waits, [7_000, 42_000]);
    assert.deepEqual((await ask([past, FINE])).waits, [0]);
    assert.deepEqual((await ask([{ status: 429, headers: { 'retry-after': 'soon' } }, FINE])).waits, [250]);
  });

  test('longer than allowed is not made: the answer is given back', async () => {
    const { requests, ...rest } = await ask([{ status: 429, headers: { 'retry-after': '61' } }, FINE]);
    assert.equal(requests.length, 1);
    assert.deepEqual(rest, { status: 429, text: '', waits: [] });
    const patient = await ask(
      [{ status: 429, headers: { 'retry-after': '61' } }, FINE],
      {},
      {
        retryAfterMsMax: 100_000,
        timing: new ManualTiming({ instantBelowMs: 100_000 }),
      },
    );
    assert.equal(patient.requests.length, 2);
  });

  test('is else at random below a bound that doubles up to a limit', async () => {
    const noAnswer = () => Promise.reject(new TypeError('no answer'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 9, maxLength: 9 }),
        async (draws) => {
          const left = [...draws];
          const timing = new ManualTiming({ instantBelowMs: 8_000, random: () => left.shift() ?? 0 });
          await assert.rejects(retryingFetch({ fetch: noAnswer, timing, attemptsMax: 10 })('http://x'));
          const bounds = [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000, 8_000];
          assert.deepEqual(
            timing.waits,
            bounds.map((bound, index) => bound * (draws[index] ?? 0)),
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  test('ends with the signal, and so do the attempts', async () => {
    await using server = await startStandIn({ status: 503, headers: { 'retry-after': '30' } });
    const timing = new ManualTiming();
    const gone = new AbortController();
    const asked = retryingFetch({ timing })(server.url, { signal: gone.signal });
    while (timing.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error('the user has left');
    gone.abort(reason);
    await assert.rejects(asked, reason);
    assert.equal(timing.pending, 0);
    assert.equal(server.requests.length, 1);
    await assert.rejects(retryingFetch({ timing })(server.url, { signal: gone.signal }), reason);
    assert.equal(server.requests.length, 1);
  });

  test('a call that is aborted on its way is not tried again', async () => {
    await using server = await startStandIn('hang');
    const gone = new AbortController();
    const asked = retryingFetch({ timing: new ManualTiming(NO_WAIT) })(server.url, { signal: gone.signal });
    await server.received(1);
    gone.abort();
    await assert.rejects(asked, { name: 'AbortError' });
    assert.equal(server.requests.length, 1);
  });
});
