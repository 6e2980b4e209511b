import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatSecret } from '@keyfold/protocol';
import { ManualTiming } from '../test/manual-timing.ts';
import { StandInGateway, URL_OF_GATEWAY } from '../test/stand-in-gateway.ts';
import { startStandIn } from '../test/stand-in-server.ts';
import { KeyManager } from './keys.ts';

const ADMIN_KEY = formatSecret('admin', new Uint8Array(32).fill(1));

describe('a key manager', () => {
  test('creates keys that end unless they are renewed, and others where that is asked for', async () => {
    await using server = await startStandIn({ status: 201, body: {} });
    const manager = new KeyManager({ baseUrl: server.url, key: ADMIN_KEY });
    await manager.create({ permissions: ['chat', 'completions'], rate_limit: 100 });
    await manager.create({ permissions: ['chat'], auto_rotate: false });
    assert.deepEqual(
      server.requests.map(({ body }): unknown => JSON.parse(body)),
      [
        { auto_rotate: true, permissions: ['chat', 'completions'], rate_limit: 100 },
        { auto_rotate: false, permissions: ['chat'] },
      ],
    );
  });

  test("rotates with the server's grace or another", async () => {
    await using server = await startStandIn({ status: 200, body: {} });
    const manager = new KeyManager({ baseUrl: server.url, key: ADMIN_KEY });
    await manager.rotate('key_1');
    await manager.rotate('key_1', { graceSeconds: 0, idempotencyKey: 'once' });
    const sent = server.requests.map(({ path, body }) => [path, body]);
    assert.deepEqual(sent, [
      ['/v1/keys/key_1/rotate', '{}'],
      ['/v1/keys/key_1/rotate', '{"grace_seconds":0}'],
    ]);
    assert.equal(server.requests[1]?.headers['idempotency-key'], 'once');
  });

  test('validates any key with that key, not with its own', async () => {
    await using server = await startStandIn({ status: 200, body: { valid: true, remaining_quota: 7 } });
    const manager = new KeyManager({ baseUrl: server.url, key: ADMIN_KEY });
    const other = formatSecret('live', new Uint8Array(32).fill(2));
    const validation = await manager.validate(other);
    assert.ok(validation.valid && validation.remaining_quota === 7);
    assert.equal(server.requests[0]?.headers.authorization, `Bearer ${other}`);
  });

  test('holds a key that renews itself, without an admin key as well', async () => {
    const timing = new ManualTiming();
    const gateway = new StandInGateway({ timing });
    const options = { baseUrl: URL_OF_GATEWAY, timing };
    for (const manager of [
      new KeyManager({ ...options, key: ADMIN_KEY, fetch: gateway.fetch }),
      new KeyManager(options),
    ]) {
      await using key = await manager.renewing({ key: gateway.latest.secret, fetch: gateway.fetch });
      const before = key.current();
      await key.renew();
      assert.notEqual(key.current(), before);
      assert.equal(key.current(), gateway.latest.secret);
      await timing.advance(301_000);
    }
  });

  test('does not hand its own signatures to the key that it holds', async () => {
    const timing = new ManualTiming();
    const gateway = new StandInGateway({ timing });
    const manager = new KeyManager({ baseUrl: URL_OF_GATEWAY, timing, fetch: () => assert.fail('signed') });
    const key = await manager.renewing({ key: gateway.created() });
    // Nothing listens there; what matters is who is asked.
    await assert.rejects(key.fetch(`${URL_OF_GATEWAY}/v1/models`, { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
    await key.stop();
  });
});
