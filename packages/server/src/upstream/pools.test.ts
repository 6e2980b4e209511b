import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UpstreamRequest } from '../providers/provider.ts';
import { DEFAULT_POOL_LIMITS, UpstreamPools } from './pools.ts';
import { send } from './send.ts';
import { allowedOrigin, networks, RecordingReceiver, startHttp } from '../../test/stand-in-origin.ts';

const REQUEST: UpstreamRequest = { method: 'POST', path: '/x', headers: {}, body: Buffer.from('{}') };

describe('UpstreamPools', () => {
  test('a credential keeps its pool while its origin means the same', () => {
    const pools = new UpstreamPools();
    const first = pools.poolFor('crd_1', allowedOrigin('http://127.0.0.1:9/v1'));
    assert.equal(pools.poolFor('crd_1', allowedOrigin('http://127.0.0.1:9/v1/')), first);
    assert.notEqual(pools.poolFor('crd_2', allowedOrigin('http://127.0.0.1:9/v1')), first);
    assert.equal(pools.size, 2);
  });

  test('a changed origin or changed networks replace the pool, and the old one closes', () => {
    const pools = new UpstreamPools();
    const targets = [
      allowedOrigin('http://127.0.0.1:9/v1'),
      allowedOrigin('http://127.0.0.1:9/v2'),
      allowedOrigin('http://127.0.0.1:10/v2'),
      allowedOrigin('http://127.0.0.1:10/v2', networks('127.0.0.0/8', '10.0.0.0/8')),
    ];
    const opened = targets.map((target) => pools.poolFor('crd_1', target));
    assert.equal(new Set(opened).size, targets.length);
    assert.deepEqual(
      opened.map((pool) => pool.dispatcher.closed),
      [true, true, true, false],
    );
    assert.equal(pools.size, 1);
  });

  test('beyond the limit the pool that was used longest ago closes, and its running call ends', async () => {
    const arrived = Promise.withResolvers<() => void>();
    await using server = await startHttp((_request, response) => arrived.resolve(() => response.end('done')));
    const pools = new UpstreamPools({ ...DEFAULT_POOL_LIMITS, poolsMax: 2 });
    const target = allowedOrigin(server.url);
    const kept = pools.poolFor('crd_kept', target);
    const oldest = pools.poolFor('crd_oldest', target);
    const receiver = new RecordingReceiver();
    send(oldest, REQUEST, receiver);
    const finish = await arrived.promise;
    pools.poolFor('crd_kept', target);
    pools.poolFor('crd_new', target);
    assert.equal(pools.size, 2);
    assert.equal(oldest.dispatcher.closed, true);
    assert.equal(kept.dispatcher.closed, false);
    finish();
    assert.equal(await receiver.over, 'end');
    await pools.close();
  });

  test('a forgotten credential has no pool', () => {
    const pools = new UpstreamPools();
    const pool = pools.poolFor('crd_1', allowedOrigin('http://127.0.0.1:9'));
    pools.forget('crd_1');
    pools.forget('crd_1');
    assert.equal(pool.dispatcher.closed, true);
    assert.equal(pools.size, 0);
  });

  test('close waits for running calls, of replaced pools too; destroy cuts them', async () => {
    const arrivals: (() => void)[] = [];
    const both = Promise.withResolvers<void>();
    await using server = await startHttp((_request, response) => {
      arrivals.push(() => response.end('done'));
      if (arrivals.length === 2) both.resolve();
    });
    const pools = new UpstreamPools();
    const receivers = [new RecordingReceiver(), new RecordingReceiver()] as const;
    send(pools.poolFor('crd_1', allowedOrigin(server.url)), REQUEST, receivers[0]);
    send(pools.poolFor('crd_1', allowedOrigin(`${server.url}/v2`)), REQUEST, receivers[1]);
    await both.promise;
    const closed = pools.close();
    for (const finish of arrivals) finish();
    await closed;
    assert.deepEqual(await Promise.all(receivers.map((receiver) => receiver.over)), ['end', 'end']);

    const cut = new UpstreamPools();
    const receiver = new RecordingReceiver();
    const arrived = Promise.withResolvers<void>();
    await using silent = await startHttp(() => arrived.resolve());
    send(cut.poolFor('crd_1', allowedOrigin(silent.url)), REQUEST, receiver);
    await arrived.promise;
    await cut.destroy();
    assert.notEqual(await receiver.over, 'end');
  });
});
