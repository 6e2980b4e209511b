import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import { EVERY_PERMISSION, type Key, ORDINARY, type Principal } from '../keys/key.ts';
import { checkModel, checkNetwork, checkPermission } from './authorize.ts';
import { checkGrant } from './grant.ts';
import { parseNetwork } from './network.ts';

const KEY: Key = {
  ...ORDINARY,
  id: 'key_00000000' as Id<'key'>,
  organizationId: 'org_00000000' as Id<'organization'>,
  projectId: 'prj_00000000' as Id<'project'>,
  kind: 'live',
  name: undefined,
  permissions: ['chat'],
  models: undefined,
  networks: undefined,
  limits: { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined },
  expiresAtMs: undefined,
  revokedAtMs: undefined,
  quarantinedAtMs: undefined,
  breaker: undefined,
  autoRotate: false,
  rotationIntervalS: 86_400,
  metadata: undefined,
  createdAtMs: 0,
  revision: 1,
};

function admin(change: Partial<Key>): Principal {
  const key: Key = { ...KEY, kind: 'admin', permissions: ['keys:write'], ...change };
  const version = {
    id: 'ver_00000000' as Id<'version'>,
    keyId: key.id,
    version: 1,
    display: '',
    createdAtMs: 0,
    expiresAtMs: undefined,
    hash: '',
    pepperVersion: 1,
    rotationId: undefined,
  };
  return { key, version, parent: undefined, organizationRevision: 1 };
}

function bearer(key: Key): Pick<Principal, 'key' | 'parent'> {
  return { key, parent: undefined };
}

describe('permissions', () => {
  test('a key may do what it was given and nothing else', () => {
    assert.equal(checkPermission(bearer(KEY), 'chat'), undefined);
    assert.equal(checkPermission(bearer(KEY), 'embeddings')?.code, 'permission_denied');
    assert.equal(checkPermission(bearer(KEY), 'keys:write')?.code, 'permission_denied');
  });

  test("'*' means every permission of the key's kind, never of the other", () => {
    const everything = { ...KEY, permissions: [EVERY_PERMISSION] } as const;
    assert.equal(checkPermission(bearer(everything), 'embeddings'), undefined);
    assert.equal(checkPermission(bearer(everything), 'keys:write')?.code, 'permission_denied');
    const operator = { ...everything, kind: 'admin' } as const;
    assert.equal(checkPermission(bearer(operator), 'keys:write'), undefined);
    assert.equal(checkPermission(bearer(operator), 'chat')?.code, 'permission_denied');
  });
});

describe('models', () => {
  test('names match exactly, prefixes end in a star', () => {
    const key = { ...KEY, models: ['gpt-4.1', 'claude-*'] };
    assert.equal(checkModel(bearer(key), ['gpt-4.1']), undefined);
    assert.equal(checkModel(bearer(key), ['anthropic/claude-opus', 'claude-opus']), undefined);
    for (const name of ['gpt-4.1-mini', 'gpt-4', 'xclaude-1', 'claude']) {
      assert.equal(checkModel(bearer(key), [name])?.code, 'model_not_allowed', name);
    }
  });
});

describe('networks', () => {
  test('an address inside passes, also as IPv4 mapped into IPv6; one outside does not', () => {
    const key = { ...KEY, networks: ['10.0.0.0/8', 'fd00::/8', '192.0.2.7'] };
    for (const address of [
      '10.1.2.3',
      '::ffff:10.1.2.3',
      '::ffff:a01:203',
      '::FFFF:0a01:0203',
      'fd12::1',
      '192.0.2.7',
    ]) {
      assert.equal(checkNetwork(bearer(key), address), undefined, address);
    }
    for (const address of [
      '11.0.0.1',
      '::ffff:11.0.0.1',
      '::ffff:b00:1',
      'fe80::1',
      '192.0.2.8',
      '',
      'unknown',
      '::10.1.2.3',
    ]) {
      assert.equal(checkNetwork(bearer(key), address)?.code, 'network_not_allowed', address);
    }
  });

  test('only well-formed networks are read', () => {
    for (const text of [
      '',
      '10.0.0.0/33',
      '10.0.0/8',
      'fd00::/129',
      '10.0.0.0/08',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
      'a/8',
    ]) {
      assert.equal(parseNetwork(text), undefined, text);
    }
  });
});

describe('grants', () => {
  test('nobody grants a permission that they do not have', () => {
    const grant = { kind: 'admin', networks: undefined, expiresAtMs: undefined, signing: undefined } as const;
    assert.equal(checkGrant(admin({}), { ...grant, permissions: ['keys:write'] }), undefined);
    assert.equal(
      checkGrant(admin({}), { ...grant, permissions: ['keys:revoke'] })?.code,
      'permission_denied',
    );
    assert.equal(checkGrant(admin({}), { ...grant, permissions: ['*'] })?.code, 'permission_denied');
    assert.equal(checkGrant(admin({ permissions: ['*'] }), { ...grant, permissions: ['*'] }), undefined);
  });

  test('an admin key that ends or is bound to networks makes none that is not', () => {
    const bounded = admin({ expiresAtMs: 1_000, networks: ['10.0.0.0/8', '192.0.2.0/24'] });
    const grant = { kind: 'admin', permissions: ['keys:write'], signing: undefined } as const;
    assert.equal(checkGrant(bounded, { ...grant, expiresAtMs: 1_000, networks: ['10.0.0.0/8'] }), undefined);
    for (const wider of [
      { expiresAtMs: 1_001, networks: ['10.0.0.0/8'] },
      { expiresAtMs: undefined, networks: ['10.0.0.0/8'] },
      { expiresAtMs: 900, networks: undefined },
      { expiresAtMs: 900, networks: ['0.0.0.0/0'] },
    ]) {
      assert.equal(checkGrant(bounded, { ...grant, ...wider })?.code, 'permission_denied');
    }
  });

  test('permissions fit the kind of the key', () => {
    const grant = { networks: undefined, expiresAtMs: undefined, signing: undefined } as const;
    assert.equal(
      checkGrant(admin({}), { ...grant, kind: 'live', permissions: ['keys:write'] })?.code,
      'invalid_request',
    );
    assert.equal(
      checkGrant(admin({ permissions: ['*'] }), { ...grant, kind: 'admin', permissions: ['chat'] })?.code,
      'invalid_request',
    );
  });
});
