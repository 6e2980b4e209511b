import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { type Server, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Denial } from '../kernel/denial.ts';
import type { UpstreamRequest } from '../providers/provider.ts';
import { RecordingReceiver, networks, startHttp } from '../../test/stand-in-origin.ts';
import type { ResolveAll } from './dialer.ts';
import { type AllowedNetworks, checkBaseUrl } from './egress-policy.ts';
import { DEFAULT_POOL_LIMITS, UpstreamPools } from './pools.ts';
import { send } from './send.ts';

const REQUEST: UpstreamRequest = { method: 'POST', path: '/x', headers: {}, body: Buffer.from('{}') };
/** What the credential may reach: nothing of it is on this machine, and the listener is not in it. */
const ELSEWHERE = networks('10.99.0.0/16');

/** Hosts that mean this machine, or another that is not public, however they are written. */
const LITERALS = `
  127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0X7F000001 0x7f.1 0x7f.0.0.1 0177.0.0.1 0177.1
  017700000001 0177.0x0.0.1 127.0.0.1. １２７.0.0.1 127。0。0。1 ①②⑦.0.0.1 0 0x0 0.0.0.0 0.0.0.1
  [::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::] [::127.0.0.1] [::ffff:127.0.0.1]
  [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::FFFF:127.0.0.1] [::ffff:10.99.0.1] [64:ff9b::127.0.0.1]
  [64:ff9b:1::7f00:1] [2002:7f00:1::] [2001::7f00:1] [fe80::1] [fd00::1] [ff02::1] [100::1]
  10.0.0.1 10.98.255.255 10.100.0.0 100.64.0.1 169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376
  172.16.0.1 192.168.0.1 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 255.255.255.255
`;

/** What a name may resolve to: each alone, and hidden among addresses that are allowed. */
const RESOLVED = `
  127.0.0.1 127.0.0.53 0.0.0.0 ::1 :: ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: fe80::1
  10.0.0.1 169.254.169.254 192.168.1.1 100.100.100.200 fd00:ec2::254
`;

const words = (text: string) => text.trim().split(/\s+/);

describe('egress', () => {
  const connections: string[] = [];
  const listeners: Server[] = [];
  let port = 0;

  before(async () => {
    // One port on both families, as far as this machine has them.
    for (const host of ['127.0.0.1', '::1', '0.0.0.0', '::']) {
      const server = createServer((socket) => {
        connections.push(host);
        socket.destroy();
      });
      const listening = once(server, 'listening').then(
        () => true,
        () => false,
      );
      server.listen(port, host);
      if (!(await listening)) continue;
      listeners.push(server);
      const address = server.address();
      if (typeof address === 'object' && address !== null) port = address.port;
    }
    assert.ok(listeners.length > 0);
  });
  after(() => {
    for (const server of listeners) server.close();
  });

  /** As a credential's call would go: its base URL judged, its pool opened, its request sent. What stopped it. */
  async function reach(
    url: string,
    of: { readonly allowed?: AllowedNetworks; readonly resolveAll?: ResolveAll } = {},
  ): Promise<string> {
    const origin = checkBaseUrl(url, of.allowed ?? ELSEWHERE);
    if (origin instanceof Denial) return 'refused base_url';
    const pools = new UpstreamPools({ ...DEFAULT_POOL_LIMITS, connectTimeoutMs: 300 }, of.resolveAll);
    const receiver = new RecordingReceiver();
    send(pools.poolFor('crd_1', origin), REQUEST, receiver);
    const over = await receiver.over;
    await pools.destroy();
    return over === 'end' ? 'answered' : over.kind;
  }

  const resolving =
    (...answers: readonly (readonly string[])[]): ResolveAll =>
    (_host, done) => {
      const addresses = (answers.length > 1 ? (answers as string[][]).shift() : answers[0]) ?? [];
      done(
        null,
        addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };

  for (const host of words(LITERALS)) {
    test(`${host} is not dialled`, async () => {
      assert.equal(await reach(`http://${host}:${port}/v1`), 'refused base_url');
      assert.equal(await reach(`https://${host}/v1`, { allowed: networks() }), 'refused base_url');
      assert.deepEqual(connections, []);
    });
  }

  for (const address of words(RESOLVED)) {
    test(`a name that resolves to ${address} is not dialled`, async () => {
      for (const addresses of [[address], ['10.99.0.1', address], [address, '10.99.0.1']]) {
        const resolveAll = resolving(addresses);
        assert.equal(await reach(`http://model.test:${port}`, { resolveAll }), 'denied_address');
      }
      const mixed = resolving([address, '8.8.8.8']);
      const over = await reach('https://model.test', { resolveAll: mixed, allowed: networks() });
      assert.equal(over, 'denied_address');
      assert.deepEqual(connections, []);
    });
  }

  for (const host of ['localhost', 'localhost.', 'LOCALHOST']) {
    test(`the name ${host} is not dialled, as this machine resolves it`, async () => {
      const over = await reach(`http://${host}:${port}`);
      assert.match(over, /^(?:denied_address|refused)$/);
      assert.deepEqual(connections, []);
    });
  }

  test('a name that changes its address between two connections is judged at each', async () => {
    await using allowed = await startHttp((_request, response) => {
      response.writeHead(200, { connection: 'close' }).end('{}');
    });
    const origin = checkBaseUrl(`http://model.test:${allowed.port}`, networks('127.0.0.1/32'));
    assert.ok(!(origin instanceof Denial));
    const pools = new UpstreamPools(DEFAULT_POOL_LIMITS, resolving(['127.0.0.1'], ['127.0.0.2'], ['::1']));
    const kinds = [];
    for (let round = 0; round < 3; round++) {
      const receiver = new RecordingReceiver();
      send(pools.poolFor('crd_1', origin), REQUEST, receiver);
      const over = await receiver.over;
      kinds.push(over === 'end' ? 'answered' : over.kind);
    }
    await pools.destroy();
    assert.deepEqual(kinds, ['answered', 'denied_address', 'denied_address']);
    assert.deepEqual(connections, []);
  });

  for (const status of [300, 301, 302, 303, 307, 308]) {
    for (const form of ['absolute', 'without a scheme']) {
      test(`a redirect by ${status} to an address ${form} is not followed`, async () => {
        const location = form === 'absolute' ? `http://127.0.0.1:${port}/` : `//127.0.0.1:${port}/`;
        await using server = await startHttp((_request, response) => {
          response.writeHead(status, { location }).end();
        });
        const allowed = networks('127.0.0.0/8');
        assert.equal(await reach(server.url, { allowed }), 'redirected');
        assert.deepEqual(connections, []);
      });
    }
  }

  test('what looks like an allowed host and means another is refused', async () => {
    for (const url of [
      `http://10.99.0.1@127.0.0.1:${port}`,
      `http://10.99.0.1:80@127.0.0.1:${port}`,
      `http://127.0.0.1:${port}#@10.99.0.1`,
      `http://127.0.0.1:${port}?@10.99.0.1`,
      `http://127.0.0.1:${port}\\@10.99.0.1`,
      `http:\\\\127.0.0.1:${port}`,
      `http://127.0.0.1\t:${port}`,
      `http://%31%32%37.0.0.1:${port}`,
      `http://[::1%25lo]:${port}`,
    ]) {
      assert.equal(await reach(url), 'refused base_url', url);
    }
    assert.deepEqual(connections, []);
  });
});
