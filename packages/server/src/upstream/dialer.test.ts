import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { createDialer, type ResolveAll } from './dialer.ts';
import { allowedOrigin, networks, startTcp } from '../../test/stand-in-origin.ts';
import { DeniedAddressError } from './upstream-fault.ts';

/** A resolver that answers from a script, one entry for each question, and counts the questions. */
function scripted(...answers: string[][]): ResolveAll & { readonly asked: string[] } {
  const asked: string[] = [];
  const resolveAll: ResolveAll = (host, done) => {
    const addresses = answers[asked.length] ?? [];
    asked.push(host);
    done(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return Object.assign(resolveAll, { asked });
}

function dial(url: string, resolveAll: ResolveAll, allowed = networks('127.0.0.0/8')): Promise<Socket> {
  const target = allowedOrigin(url, allowed);
  const connect = createDialer(target, { connectTimeoutMs: 5_000, resolveAll });
  const { protocol, host, hostname, port } = new URL(target.origin);
  return new Promise((resolve, reject) => {
    connect({ protocol, host, hostname: hostname.replace(/^\[|\]$/g, ''), port }, (error, socket) => {
      if (error === null) resolve(socket);
      else reject(error);
    });
  });
}

describe('createDialer', () => {
  test('dials the address that was checked, and asks for it once', async () => {
    await using server = await startTcp(() => {});
    const resolveAll = scripted(['127.0.0.1'], ['10.0.0.1']);
    const socket = await dial(`http://model.test:${server.port}`, resolveAll);
    assert.equal(socket.remoteAddress, '127.0.0.1');
    assert.deepEqual(resolveAll.asked, ['model.test']);
    socket.destroy();
  });

  test('resolves and checks again at every connect', async () => {
    await using server = await startTcp(() => {});
    const resolveAll = scripted(['127.0.0.1'], ['10.0.0.1']);
    const target = allowedOrigin(`http://model.test:${server.port}`);
    const connect = createDialer(target, { connectTimeoutMs: 5_000, resolveAll });
    const options = {
      protocol: 'http:',
      host: 'model.test',
      hostname: 'model.test',
      port: String(server.port),
    };
    const results: (Error | null)[] = [];
    for (let attempt = 0; attempt < 2; attempt++) {
      await new Promise<void>((resolve) => {
        connect(options, (error, socket) => {
          results.push(error);
          socket?.destroy();
          resolve();
        });
      });
    }
    assert.equal(results[0], null);
    assert.ok(results[1] instanceof DeniedAddressError);
  });

  test('one denied address among many denies the name', async () => {
    for (const addresses of [
      ['127.0.0.1', '10.0.0.1'],
      ['169.254.169.254', '127.0.0.1'],
      ['127.0.0.1', '::1'],
      ['::ffff:127.0.0.1'],
    ]) {
      let connections = 0;
      await using server = await startTcp(() => connections++);
      await assert.rejects(dial(`http://model.test:${server.port}`, scripted(addresses)), DeniedAddressError);
      assert.equal(connections, 0);
    }
  });

  test('a public name that resolves inwards is denied', async () => {
    for (const address of [
      '127.0.0.1',
      '10.0.0.1',
      '169.254.169.254',
      '::1',
      'fd00::1',
      '::ffff:10.0.0.1',
      '0.0.0.0',
    ]) {
      await assert.rejects(dial('https://api.example', scripted([address]), networks()), DeniedAddressError);
    }
  });

  test('over plain HTTP even a public address is denied outside the allowed networks', async () => {
    await assert.rejects(dial('http://model.test', scripted(['8.8.8.8'])), DeniedAddressError);
  });

  test('an address in the URL is checked without a lookup', async () => {
    await using server = await startTcp(() => {});
    const resolveAll = scripted();
    const socket = await dial(`http://127.0.0.1:${server.port}`, resolveAll);
    socket.destroy();
    assert.deepEqual(resolveAll.asked, []);
    const target = { ...allowedOrigin('https://8.8.8.8', networks()), origin: 'https://10.0.0.1' };
    const connect = createDialer(target, { connectTimeoutMs: 5_000, resolveAll });
    const error = await new Promise<Error | null>((resolve) => {
      connect({ protocol: 'https:', host: '10.0.0.1', hostname: '10.0.0.1', port: '443' }, (...results) => {
        resolve(results[0]);
      });
    });
    assert.ok(error instanceof DeniedAddressError);
  });

  test('a name without addresses, or a resolver that fails, is an error', async () => {
    await assert.rejects(dial('http://model.test', scripted([])), /no address/);
    const failing: ResolveAll = (_host, done) => done(new Error('ENOTFOUND'), []);
    await assert.rejects(dial('http://model.test', failing), /ENOTFOUND/);
  });
});
