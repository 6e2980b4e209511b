import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { plainStyle } from '../terminal/style.ts';
import { newestOf, stateOf, withStates } from './key-state.ts';
import { renderKey } from './show-key.ts';

const PAST = '2020-01-01T00:00:00.000Z';
const FUTURE = '2099-01-01T00:00:00.000Z';
const LIVE = [{ version: 1, expires_at: null }];

describe('the state of a key', () => {
  const cases: readonly [string, Readonly<Record<string, unknown>>][] = [
    ['active', {}],
    ['active', { not_before: PAST, expires_at: FUTURE, canary: false, quarantined_at: null }],
    ['revoked', { revoked_at: PAST }],
    ['quarantined', { quarantined_at: PAST }],
    ['expired', { expires_at: PAST }],
    ['not yet valid', { not_before: FUTURE }],
    ['canary', { canary: true }],
    ['revoked, quarantined, canary', { revoked_at: PAST, quarantined_at: PAST, canary: true }],
    ['no live version', { versions: [{ version: 1, expires_at: PAST }] }],
    [
      'active',
      {
        versions: [
          { version: 2, expires_at: FUTURE },
          { version: 1, expires_at: PAST },
        ],
      },
    ],
  ];
  for (const [state, key] of cases) {
    test(`is '${state}' for ${JSON.stringify(key)}`, () => {
      assert.equal(stateOf({ versions: LIVE, ...key }), state);
    });
  }

  test('a server that shows no versions has no key without a live one', () => {
    assert.equal(stateOf({}), 'active');
  });
});

describe('the versions of a key', () => {
  const versions = [
    { version: 3, expires_at: null },
    { version: 2, expires_at: FUTURE },
    { version: 1, expires_at: PAST },
  ];
  const statesOf = (of: Parameters<typeof withStates>[0]) => withStates(of).map(({ state }) => state);

  test('are the current one, those in their grace, and those that have ended', () => {
    assert.deepEqual(statesOf(versions), ['current', 'in grace', 'ended']);
    assert.deepEqual(statesOf(versions.toReversed()), ['ended', 'in grace', 'current']);
  });

  test('the newest is in no grace, however soon it ends', () => {
    assert.deepEqual(statesOf([{ version: 2, expires_at: FUTURE }]), ['current']);
    assert.deepEqual(statesOf([{ version: 2, expires_at: PAST }]), ['ended']);
    assert.equal(newestOf([]), undefined);
  });
});

describe('the page of a key', () => {
  const counted = { uses: 12, last_used_at: PAST, created_at: PAST };
  const key = {
    id: 'key_2',
    parent_id: 'key_1',
    not_before: FUTURE,
    quarantined_at: PAST,
    signing: {
      required: true,
      versions: ['2', 'rfc9421'],
      algorithm: 'hmac-sha256',
      secrets: [{ id: 'sgn_1', version: 1, display: 'kf_sig_42un…9OAG', ...counted, expires_at: null }],
    },
    versions: [
      { id: 'ver_2', version: 2, display: 'kf_live_Bbbb…9OAG', ...counted, uses: 0, last_used_at: null },
      { id: 'ver_1', version: 1, display: 'kf_live_Aaaa…9OAG', ...counted, expires_at: FUTURE },
    ],
  };

  test('says who its parent is, what holds it, and how it signs', () => {
    const page = renderKey(key, plainStyle);
    assert.match(page, /^parent +key_1$/m);
    assert.match(page, /^state +quarantined, not yet valid$/m);
    assert.match(page, /^valid from +2099-01-01T00:00:00Z$/m);
    assert.match(page, /^signing +required, by 2, rfc9421 \(hmac-sha256\)$/m);
    assert.match(renderKey({ ...key, signing: null }, plainStyle), /^signing +–$/m);
  });

  test('says of each version and signing secret whether it is in its grace, how often and when it was last used, and its end', () => {
    const page = renderKey(key, plainStyle);
    assert.match(page, /^VERSION +KEY +ID +STATE +USES +LAST USED +CREATED +ENDS$/m);
    assert.match(page, /^ +2 +kf_live_Bbbb…9OAG +ver_2 +current +0 +–/m);
    assert.match(
      page,
      /^ +1 +kf_live_Aaaa…9OAG +ver_1 +in grace +12 +2020\S+ +2020\S+ +2099-01-01T00:00:00Z$/m,
    );
    assert.match(page, /^ +1 +kf_sig_42un…9OAG +sgn_1 +current +12 +2020\S+ +2020\S+ +–$/m);
  });
});
