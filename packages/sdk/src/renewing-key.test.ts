import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { ManualTiming, type ManualTimingOptions, settle } from '../test/manual-timing.ts';
import {
  type Mishap,
  StandInGateway,
  type StandInGatewayOptions,
  URL_OF_GATEWAY,
} from '../test/stand-in-gateway.ts';
import { AuthenticationError, ConflictError, ConnectionError } from './errors.ts';
import type { RenewalFailure, RenewedKey } from './key-handover.ts';
import { RenewingKey, type RenewingKeyOptions } from './renewing-key.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const LIFE_MS = 10 * HOUR_MS;
const AFTER_GRACE_MS = 300_001;
const CHAT = `${URL_OF_GATEWAY}/v1/chat/completions`;
const OUTAGE: Mishap = { status: 503, code: 'unavailable' };

interface Setting extends AsyncDisposable {
  readonly timing: ManualTiming;
  readonly gateway: StandInGateway;
  readonly key: RenewingKey;
  readonly renewed: RenewedKey[];
  readonly failures: RenewalFailure[];
}

interface SettingOptions {
  readonly timing?: ManualTimingOptions;
  readonly gateway?: Partial<StandInGatewayOptions>;
  readonly key?: (gateway: StandInGateway) => Partial<RenewingKeyOptions>;
}

async function setUp(options: SettingOptions = {}): Promise<Setting> {
  const timing = new ManualTiming(options.timing);
  const gateway = new StandInGateway({ timing, lifeMs: LIFE_MS, ...options.gateway });
  const renewed: RenewedKey[] = [];
  const failures: RenewalFailure[] = [];
  const key = await RenewingKey.open({
    baseUrl: `${URL_OF_GATEWAY}/v1`,
    key: gateway.latest.secret,
    fetch: gateway.fetch,
    timing,
    onRenewed: (each) => {
      renewed.push(each);
    },
    onFailure: (failure) => failures.push(failure),
    ...options.key?.(gateway),
  });
  return { timing, gateway, key, renewed, failures, [Symbol.asyncDispose]: () => key.stop() };
}

/** What another holder of the same key at the same gateway is opened with. */
function shareOf({ gateway, timing }: Setting) {
  return { key: gateway.latest.secret, fetch: gateway.fetch, timing };
}

describe('a key is renewed', () => {
  test('between 75 and 80 % of its life, as chance has it, and again and again', async () => {
    for (const [random, atMs] of [
      [0, 8 * HOUR_MS],
      [0.999_999, 7.5 * HOUR_MS],
    ] as const) {
      await using setting = await setUp({ timing: { random: () => random } });
      const { timing, gateway, key } = setting;
      await timing.advance(atMs - MINUTE_MS);
      assert.equal(gateway.rotations, 0);
      await timing.advance(2 * MINUTE_MS);
      assert.equal(gateway.rotations, 1);
      assert.equal(key.current(), gateway.latest.secret);
      await timing.advance(10 * LIFE_MS);
      assert.equal(gateway.rotations, random === 0 ? 13 : 14);
      assert.ok(gateway.accepts(key.current()));
      assert.equal(setting.failures.length, 0);
    }
  });

  test('by the life that its creation told, without asking', async () => {
    await using setting = await setUp({ key: (gateway) => ({ key: gateway.created() }) });
    const { timing, gateway, key } = setting;
    assert.deepEqual(gateway.log, []);
    assert.equal(key.keyId, 'key_1');
    assert.equal(key.expiresAt?.getTime(), timing.nowMs() + LIFE_MS);
    await timing.advance(0.8 * LIFE_MS);
    assert.deepEqual(gateway.log, ['POST /v1/keys/self/rotate 200']);
  });

  test("by the server's clock, whatever this machine's says", async () => {
    for (const skewMs of [-3 * HOUR_MS, 3 * HOUR_MS]) {
      await using setting = await setUp({ gateway: { skewMs }, timing: { random: () => 0 } });
      await setting.timing.advance(0.8 * LIFE_MS - MINUTE_MS);
      assert.equal(setting.gateway.rotations, 0);
      await setting.timing.advance(2 * MINUTE_MS);
      assert.equal(setting.gateway.rotations, 1);
    }
  });

  test('also when the machine slept over the time', async () => {
    await using setting = await setUp();
    const { timing, gateway, key } = setting;
    // Timers stand still while a machine sleeps: the next look at the clock comes within an hour.
    timing.setTo(timing.nowMs() + 8.5 * HOUR_MS);
    await timing.advance(HOUR_MS);
    assert.equal(gateway.rotations, 1);
    assert.ok(gateway.accepts(key.current()));
  });

  test('also when it lives longer than timers can count', async () => {
    const year = 365 * 24 * HOUR_MS;
    await using setting = await setUp({ gateway: { lifeMs: year } });
    await setting.timing.advance(0.7 * year);
    assert.equal(setting.gateway.rotations, 0);
    await setting.timing.advance(0.1 * year);
    assert.equal(setting.gateway.rotations, 1);
  });

  test('without keeping a program alive that has ended', async () => {
    await using setting = await setUp();
    assert.ok(setting.timing.isAllBackground);
  });

  test('by one request at a time, however many ask', async () => {
    await using setting = await setUp();
    const { gateway, key } = setting;
    await Promise.all(Array.from({ length: 50 }, () => key.renew()));
    assert.equal(gateway.rotations, 1);
    await setting.timing.advance(AFTER_GRACE_MS);
    await key.renew();
    assert.equal(gateway.rotations, 2);
    assert.equal(key.current(), gateway.latest.secret);
  });

  test('with the grace that was asked for', async () => {
    await using setting = await setUp({ key: () => ({ graceSeconds: 20 }) });
    const { timing, gateway, key } = setting;
    const old = key.current();
    await key.renew();
    await timing.advance(19_000);
    assert.ok(gateway.accepts(old));
    await timing.advance(1_000);
    assert.ok(!gateway.accepts(old));
  });

  test('not again when the key as a whole ends all the same', async () => {
    const keyEndsAtMs = Date.UTC(2026, 10, 23, 12) + LIFE_MS;
    await using setting = await setUp({ gateway: { keyEndsAtMs } });
    const { timing, gateway, failures } = setting;
    await timing.advance(2 * LIFE_MS);
    assert.equal(gateway.rotations, 1);
    assert.equal(failures.length, 1);
    assert.ok(failures[0]?.error instanceof Error && /does not make it last/.test(failures[0].error.message));
    assert.equal(failures[0].retryAt, undefined);
  });

  test('not after stop, and nothing is left running', async () => {
    const { timing, gateway, key } = await setUp();
    await key.stop();
    assert.equal(timing.pending, 0);
    await timing.advance(LIFE_MS);
    assert.equal(gateway.rotations, 0);
    {
      using other = (await setUp()).key;
      assert.ok(other.current());
    }
  });

  test('not when it is not valid: it cannot be opened', async () => {
    const key = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
    await assert.rejects(setUp({ key: () => ({ key }) }), AuthenticationError);
  });
});

describe('a lost answer', () => {
  test('costs no key: the same renewal is asked for again, and gives the same new key', async () => {
    await using setting = await setUp();
    const { timing, gateway, key } = setting;
    // More than the client's own attempts, so that the renewal as a whole is repeated, too.
    gateway.mishaps.push(...Array.from({ length: 7 }, () => 'answer-lost' as const));
    await timing.advance(0.8 * LIFE_MS + MINUTE_MS);
    assert.equal(gateway.rotations, 1);
    assert.equal(key.current(), gateway.latest.secret);
    assert.equal(setting.renewed.length, 1);
    assert.ok(setting.failures.length > 0);
  });

  test('is asked for no more once it has come', async () => {
    await using setting = await setUp();
    const { gateway, key, timing } = setting;
    gateway.mishaps.push('answer-lost', 'answer-lost', 'answer-lost');
    const asked = assert.rejects(key.renew(), ConnectionError);
    await timing.advance(MINUTE_MS);
    await asked;
    gateway.mishaps.push({ status: 403, code: 'permission_denied' });
    await assert.rejects(key.renew(), { name: 'PermissionError' });
    await key.renew();
    assert.equal(gateway.rotations, 1);
    await timing.advance(AFTER_GRACE_MS);
    await key.renew();
    assert.equal(gateway.rotations, 2);
  });

  test('of a holder that crashed costs no key either: nobody has used the new one, and it is replaced', async () => {
    const first = await setUp();
    const { gateway, timing } = first;
    gateway.mishaps.push('answer-lost', 'answer-lost', 'answer-lost');
    const lost = first.key.renew().catch(() => undefined);
    await timing.advance(MINUTE_MS);
    await lost;
    await first.key.stop();
    const [old = assert.fail()] = gateway.versions;
    await using second = await setUp({ key: () => ({ ...shareOf(first), key: old.secret }) });
    await second.key.renew();
    assert.equal(second.key.current(), gateway.latest.secret);
    assert.equal(gateway.rotations, 2);
    assert.equal((await second.key.fetch(CHAT)).status, 200);
  });
});

describe('what fails', () => {
  test('is tried again with growing pauses, and told', async () => {
    await using setting = await setUp();
    const { timing, gateway, failures, key } = setting;
    gateway.outage = OUTAGE;
    await timing.advance(0.8 * LIFE_MS + 30 * MINUTE_MS);
    assert.ok(failures.length > 8 && failures.length < 40, String(failures.length));
    const pauses = failures.map(
      ({ retryAt }, index) => (retryAt?.getTime() ?? NaN) - (failures[index - 1]?.retryAt?.getTime() ?? NaN),
    );
    assert.ok((pauses[1] ?? 0) < (pauses[5] ?? 0));
    assert.ok(failures.every(({ stage }) => stage === 'renewal'));
    gateway.outage = undefined;
    await timing.advance(5 * MINUTE_MS);
    assert.equal(key.current(), gateway.latest.secret);
    assert.equal(gateway.rotations, 1);
  });

  test('is tried until the end of the key, more often towards it, and then no more', async () => {
    await using setting = await setUp({ gateway: { lifeMs: 10 * MINUTE_MS } });
    const { timing, gateway, failures } = setting;
    const endsAtMs = timing.nowMs() + 10 * MINUTE_MS;
    gateway.outage = OUTAGE;
    await timing.advance(HOUR_MS);
    const last = failures.at(-1);
    assert.equal(last?.retryAt, undefined);
    const before = failures.at(-2)?.retryAt?.getTime() ?? 0;
    assert.ok(Math.abs(before - endsAtMs) < 5_000);
    assert.ok(failures.length < 60, String(failures.length));
    assert.equal(timing.pending, 0);
  });

  test('is not tried sooner than the server asks', async () => {
    await using setting = await setUp({ timing: { random: () => 0 } });
    const { timing, gateway, failures } = setting;
    gateway.mishaps.push({ status: 429, code: 'rate_limit_exceeded', retryAfterS: 600 });
    await timing.advance(0.8 * LIFE_MS);
    assert.equal(failures[0]?.retryAt?.getTime(), timing.nowMs() + 600_000);
    await timing.advance(599_000);
    assert.equal(gateway.rotations, 0);
    await timing.advance(1_000);
    assert.equal(gateway.rotations, 1);
  });

  test('for good, since the key is revoked, is told once', async () => {
    await using setting = await setUp();
    const { timing, gateway, failures } = setting;
    gateway.outage = { status: 401, code: 'key_revoked' };
    await timing.advance(2 * LIFE_MS);
    assert.equal(failures.length, 1);
    assert.equal(failures[0]?.retryAt, undefined);
  });

  test('on the part of who is told changes nothing', async () => {
    const onFailure = () => {
      throw new Error('the log is full');
    };
    await using setting = await setUp({ key: () => ({ onFailure }) });
    setting.gateway.mishaps.push(OUTAGE, OUTAGE, OUTAGE);
    await setting.timing.advance(0.8 * LIFE_MS + MINUTE_MS);
    assert.equal(setting.gateway.rotations, 1);
  });
});

describe('a new key', () => {
  test('is stored before any call uses it', async () => {
    let isStored = (): void => undefined;
    const storing = new Promise<void>((resolve) => {
      isStored = resolve;
    });
    const given: RenewedKey[] = [];
    const onRenewed = (renewed: RenewedKey) => {
      given.push(renewed);
      return storing;
    };
    await using setting = await setUp({ key: () => ({ onRenewed }) });
    const { timing, gateway, key } = setting;
    const old = key.current();
    let isRenewed = false;
    const renewal = key.renew().then(() => {
      isRenewed = true;
    });
    await settle();
    assert.equal(gateway.rotations, 1);
    const { key: next, keyId, version, expiresAt, previousExpiresAt } = given[0] ?? assert.fail();
    assert.equal(next, gateway.latest.secret);
    assert.deepEqual([keyId, version], ['key_1', 2]);
    assert.equal(expiresAt?.getTime(), timing.nowMs() + LIFE_MS);
    assert.equal(previousExpiresAt.getTime(), timing.nowMs() + 300_000);
    assert.deepEqual([isRenewed, key.current()], [false, old]);
    assert.equal((await key.fetch(CHAT)).status, 200);
    assert.equal(gateway.latest.uses, 0);
    isStored();
    await renewal;
    assert.equal(key.current(), next);
  });

  test('that cannot be stored is offered again, and used unstored rather than lost', async () => {
    let attempts = 0;
    const onRenewed = () => {
      attempts++;
      return Promise.reject(new Error('the disk is full'));
    };
    await using setting = await setUp({ key: () => ({ onRenewed }) });
    const { timing, gateway, key, failures } = setting;
    const old = key.current();
    const renewal = key.renew();
    await timing.advance(239_000);
    assert.equal(key.current(), old);
    assert.ok(attempts > 3);
    await timing.advance(1_000);
    await renewal;
    assert.ok(gateway.accepts(old), 'there is time left for the calls that took it');
    assert.equal(key.current(), gateway.latest.secret);
    const before = attempts;
    await timing.advance(HOUR_MS);
    assert.ok(attempts > before, 'storing goes on behind');
    assert.ok(failures.every(({ stage, retryAt }) => stage === 'storing' && retryAt !== undefined));
    // The next one replaces it: only that one is worth storing.
    await timing.advance(LIFE_MS);
    assert.equal(gateway.rotations, 2);
    assert.equal(key.current(), gateway.latest.secret);
  });

  test('whose storing never ends is used all the same', async () => {
    await using setting = await setUp({ key: () => ({ onRenewed: () => new Promise(() => undefined) }) });
    const { timing, gateway, key } = setting;
    await timing.advance(3 * LIFE_MS);
    assert.ok(gateway.rotations >= 3);
    assert.ok(gateway.accepts(key.current()));
  });

  test('that comes while the holder stops is stored before stop has ended', async () => {
    const order: string[] = [];
    const onRenewed = async () => {
      await settle();
      order.push('stored');
    };
    const { key, timing } = await setUp({ key: () => ({ onRenewed }) });
    const renewal = key.renew();
    await key.stop();
    order.push('stopped');
    await renewal;
    assert.deepEqual(order, ['stored', 'stopped']);
    assert.equal(timing.pending, 0);
  });

  test('never shows in what is logged of its holder', async () => {
    await using setting = await setUp();
    await setting.key.renew();
    assert.ok(!inspect(setting.key, { depth: 9, showHidden: true }).includes(setting.key.current()));
  });
});

describe('a call', () => {
  test('carries the key that is current, and no other', async () => {
    await using setting = await setUp();
    const { gateway, key } = setting;
    const seen: Headers[] = [];
    await using other = await setUp({
      key: () => ({
        key: gateway.latest.secret,
        fetch: (input, init) => {
          seen.push(new Headers(init?.headers));
          return gateway.fetch(input, init);
        },
      }),
    });
    seen.length = 0;
    const headers = {
      authorization: 'Bearer unused',
      'x-api-key': 'unused',
      'X-Goog-Api-Key': 'unused',
      a: 'b',
    };
    const body = '{"model":"m"}';
    const answer = await other.key.fetch(CHAT, { method: 'POST', headers, body });
    assert.deepEqual(await answer.json(), { path: '/v1/chat/completions', body, version: 0 });
    await other.key.fetch(new Request(CHAT, { method: 'POST', headers, body }));
    for (const each of seen) {
      assert.equal(each.get('authorization'), `Bearer ${key.current()}`);
      assert.deepEqual([each.get('x-api-key'), each.get('x-goog-api-key'), each.get('a')], [null, null, 'b']);
    }
    assert.equal(seen.length, 2);
  });

  test('to any other server is refused before it leaves', async () => {
    await using setting = await setUp({ key: (gateway) => ({ key: gateway.created() }) });
    const places = [
      'https://evil.example/v1',
      'http://keyfold.example/',
      'https://keyfold.example:444/',
      '/v1',
      '',
    ];
    for (const place of places) await assert.rejects(setting.key.fetch(place), TypeError, place);
    await assert.rejects(setting.key.fetch(new Request('https://evil.example/v1')), TypeError);
    await assert.rejects(setting.key.fetch(new URL('https://evil.example/v1')), TypeError);
    assert.deepEqual(setting.gateway.log, []);
  });

  test('does not follow a redirection, which would take the key along', async () => {
    const seen: string[] = [];
    await using setting = await setUp({
      key: (gateway) => ({
        key: gateway.created(),
        fetch: (_, init) => {
          seen.push(String(init?.redirect));
          return Promise.resolve(Response.redirect('https://evil.example', 307));
        },
      }),
    });
    await assert.rejects(setting.key.fetch(CHAT), TypeError);
    assert.equal((await setting.key.fetch(CHAT, { redirect: 'manual' })).status, 307);
    assert.deepEqual(seen, ['manual', 'manual']);
  });

  test('that finds the key expired waits for the new one and is made again, once', async () => {
    await using setting = await setUp({ key: () => ({ graceSeconds: 0 }) });
    const { gateway, key, timing } = setting;
    await key.renew();
    const old = gateway.versions[0]?.secret ?? '';
    assert.ok(!gateway.accepts(old));
    // Somebody ends the version that this holder has.
    gateway.latest.endsAtMs = timing.nowMs();
    const answer = await key.fetch(CHAT, { method: 'POST', body: '{}' });
    assert.equal(answer.status, 401);
    assert.match(await answer.text(), /key_expired/);
    const calls = gateway.log.filter((line) => line.includes('chat'));
    assert.equal(calls.length, 1, 'there is no other key to make it with');
  });

  test('that finds the key expired uses what another holder has stored', async () => {
    let stored = '';
    await using setting = await setUp({ key: () => ({ reload: () => `${stored}\n` }) });
    const { gateway, key, failures } = setting;
    const old = key.current();
    stored = old;
    await using other = await setUp({ key: () => ({ ...shareOf(setting), graceSeconds: 0 }) });
    await other.key.renew();
    stored = other.key.current();
    assert.ok(!gateway.accepts(old));
    gateway.log.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => key.fetch(CHAT, { method: 'POST', body: '{}' })),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(key.current(), stored);
    assert.equal(gateway.rotations, 1);
    assert.equal(failures.length, 0);
    assert.equal(gateway.log.filter((line) => line.includes('validate')).length, 1, 'one look for all calls');
  });

  test('whose body is a stream is given its 401: it cannot be made again', async () => {
    let stored = '';
    await using setting = await setUp({ key: () => ({ reload: () => stored }) });
    const { key } = setting;
    await using other = await setUp({ key: () => ({ ...shareOf(setting), graceSeconds: 0 }) });
    await other.key.renew();
    stored = other.key.current();
    const body = new Blob(['{}']).stream();
    assert.equal((await key.fetch(CHAT, { method: 'POST', body, duplex: 'half' })).status, 401);
    assert.equal((await key.fetch(CHAT, { method: 'POST', body: '{}' })).status, 200);
  });

  test('that is refused for another reason is given its refusal', async () => {
    await using setting = await setUp();
    const { gateway, key } = setting;
    gateway.versions.length = 0;
    const answer = await key.fetch(CHAT);
    assert.deepEqual(
      [answer.status, await answer.json()],
      [401, { error: { message: 'Refused.', code: 'invalid_api_key' } }],
    );
    assert.equal(gateway.log.filter((line) => line.includes('rotate')).length, 0);
  });

  test('with a key that stays expired does not ask for another each time', async () => {
    await using setting = await setUp();
    const { gateway, key, timing } = setting;
    gateway.latest.endsAtMs = timing.nowMs();
    for (let call = 0; call < 10; call++) await key.fetch(CHAT);
    assert.equal(gateway.log.filter((line) => line.includes('rotate')).length, 1);
    await timing.advance(10_000);
    await key.fetch(CHAT);
    assert.equal(gateway.log.filter((line) => line.includes('rotate')).length, 2);
  });
});

describe('holders of one key', () => {
  test('find out that another has renewed it, and take over what that one stored', async () => {
    let stored = '';
    await using first = await setUp({ key: () => ({ onRenewed: ({ key }) => void (stored = key) }) });
    const { gateway, timing } = first;
    stored = first.key.current();
    const reload = () => stored;
    const shared = { key: gateway.created(), fetch: gateway.fetch, timing, reload };
    await using second = await setUp({ key: () => shared });
    await first.key.renew();
    await second.key.renew();
    assert.equal(second.key.current(), first.key.current());
    assert.equal(gateway.rotations, 1);
  });

  test('are told by the server where it is not stored yet, and ask again', async () => {
    let stored = '';
    await using first = await setUp();
    const { gateway, timing } = first;
    stored = first.key.current();
    const failures: RenewalFailure[] = [];
    const onFailure = (failure: RenewalFailure) => failures.push(failure);
    const shared = { key: gateway.created(), fetch: gateway.fetch, timing, reload: () => stored, onFailure };
    await using second = await setUp({ key: () => shared });
    await timing.advance(0.7 * LIFE_MS);
    await first.key.renew();
    await first.key.fetch(CHAT);
    const [old = assert.fail()] = gateway.versions;
    old.endsAtMs = timing.nowMs() + LIFE_MS;
    await timing.advance(0.1 * LIFE_MS);
    assert.ok(failures.length > 0 && failures.every(({ error }) => error instanceof ConflictError));
    assert.ok(failures.every(({ retryAt }) => retryAt !== undefined));
    stored = first.key.current();
    await timing.advance(5 * MINUTE_MS);
    assert.equal(second.key.current(), stored);
    assert.equal(gateway.rotations, 1);
  });

  test('fail no call where one renews and stores it, and the others only reload', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(99), { minLength: 100, maxLength: 100 }), async (draws) => {
        const timing = new ManualTiming({ random: () => (draws.shift() ?? 50) / 100 });
        const gateway = new StandInGateway({ timing, lifeMs: LIFE_MS });
        let stored = gateway.latest.secret;
        const shared = { baseUrl: URL_OF_GATEWAY, fetch: gateway.fetch, timing, onFailure: () => undefined };
        const reload = () => stored;
        const onRenewed = ({ key }: RenewedKey) => void (stored = key);
        const holders = [await RenewingKey.open({ ...shared, key: stored, onRenewed })];
        for (let count = 0; count < 4; count++) {
          holders.push(await RenewingKey.open({ ...shared, key: stored, reload, reloadOnly: true }));
        }
        for (let passedMs = 0; passedMs < 3 * LIFE_MS; passedMs += 20 * MINUTE_MS) {
          await timing.advance(20 * MINUTE_MS);
          const answers = await Promise.all(holders.map((holder) => holder.fetch(CHAT)));
          assert.deepEqual(
            answers.map(({ status }) => status),
            [200, 200, 200, 200, 200],
          );
        }
        assert.ok(gateway.rotations <= 4);
        for (const holder of holders) await holder.stop();
      }),
      { numRuns: 10 },
    );
    await assert.rejects(setUp({ key: () => ({ reloadOnly: true }) }), TypeError);
  });
});

describe('whatever happens on the way', () => {
  test('no call ever meets an expired key, while outages are shorter than what is left at 80 %', async () => {
    const mishap = fc.constantFrom<Mishap | undefined>('lost', 'answer-lost', OUTAGE, undefined);
    const stretch = fc.record({ hours: fc.double({ min: 0.05, max: 4, noNaN: true }), mishap });
    await fc.assert(
      fc.asyncProperty(
        fc.array(stretch, { maxLength: 25 }),
        fc.array(fc.double({ min: 0, max: 0.99, noNaN: true })),
        async (stretches, draws) => {
          const left = [...draws];
          let storedLast = '';
          await using setting = await setUp({
            timing: { random: () => left.shift() ?? 0.5 },
            key: () => ({ onRenewed: ({ key }) => void (storedLast = key) }),
          });
          const { timing, gateway, key } = setting;
          for (const { hours, mishap } of stretches) {
            // A fifth of the life is two hours; the answer to a renewal is lost for less than its grace.
            gateway.outage = mishap;
            await timing.advance(mishap === 'answer-lost' ? 3 * MINUTE_MS : Math.min(hours, 1.5) * HOUR_MS);
            gateway.outage = undefined;
            for (let part = 0; part < 6; part++) {
              await timing.advance((hours * HOUR_MS) / 6 + MINUTE_MS);
              assert.equal((await key.fetch(CHAT)).status, 200);
            }
            if (gateway.rotations > 0) assert.equal(key.current(), storedLast);
            assert.equal(key.current(), gateway.latest.secret);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});
