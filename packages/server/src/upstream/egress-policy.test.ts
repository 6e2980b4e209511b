import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Denial } from '../kernel/denial.ts';
import {
  type AllowedOrigin,
  checkBaseUrl,
  isDeniedAddress,
  mayDial,
  NO_NETWORKS,
  parseNetworks,
} from './egress-policy.ts';
import { networks } from '../../test/stand-in-origin.ts';

function allow(url: string, ...cidrs: string[]): AllowedOrigin {
  const origin = checkBaseUrl(url, networks(...cidrs));
  assert.ok(!(origin instanceof Denial), `${url}: ${origin instanceof Denial ? origin.detail.message : ''}`);
  return origin;
}

function deny(url: string, ...cidrs: string[]): void {
  const denial = checkBaseUrl(url, networks(...cidrs));
  assert.ok(denial instanceof Denial, `${url} was allowed`);
  assert.equal(denial.code, 'invalid_request');
  assert.equal(denial.detail.param, 'base_url');
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

/** First and last address of every range that is not public. */
const DENIED = words(`
  0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.0 127.0.0.1 127.255.255.255
  169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.0
  192.0.2.255 192.88.99.0 192.88.99.255 192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0
  198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255
  :: ::1 ::7f00:1 ::127.0.0.1 ::ffff:ffff 64:ff9b:: 64:ff9b::8.8.8.8 64:ff9b::a00:1 64:ff9b:1::
  64:ff9b:1:ffff:ffff:ffff:ffff:ffff 100:: 100::ffff:ffff:ffff:ffff 2001:: 2001:0:ffff:ffff:ffff:ffff:ffff:ffff
  2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002:: 2002:7f00:1::
  2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff fc00:: fd00::1 fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80:: fe80::1
  febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff ff00:: ff02::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
  ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::FFFF:1.1.1.1 0:0:0:0:0:ffff:101:101
  0000:0000:0000:0000:0000:0000:0000:0001 FE80::1 2001:DB8::1
`);

/** Public addresses, most of them next to a range that is not. */
const PUBLIC = words(`
  1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
  169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255
  192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255
  203.0.114.0 223.255.255.255 64:ff9b:2:: 100:0:0:1:: 2001:1:: 2001:4860:4860::8888 2001:db7:: 2001:db9::
  2003:: 2606:4700:4700::1111 fbff::
`);

describe('isDeniedAddress', () => {
  test('denies every address that is not public', () => {
    for (const address of DENIED) assert.equal(isDeniedAddress(address), true, address);
  });

  test('allows public addresses, also those beside a denied range', () => {
    for (const address of PUBLIC) assert.equal(isDeniedAddress(address), false, address);
  });

  test('denies what is no address', () => {
    for (const text of [
      '',
      'localhost',
      '1.2.3',
      '08.8.8.8',
      '0x8.8.8.8',
      '8.8.8.8 ',
      '8.8.8.8/32',
      '2606::1%eth0',
      '[::1]',
    ]) {
      assert.equal(isDeniedAddress(text), true, text);
    }
  });

  test('an allowed network opens its own addresses and no others', () => {
    const allowed = networks('127.0.0.0/8', '10.1.0.0/16', 'fd00:1::/32', '::1/128');
    for (const address of ['127.0.0.1', '10.1.2.3', 'fd00:1::5', '::1']) {
      assert.equal(isDeniedAddress(address, allowed), false, address);
    }
    for (const address of ['10.2.0.1', '192.168.0.1', 'fd00:2::1', '::', '169.254.169.254', '::2']) {
      assert.equal(isDeniedAddress(address, allowed), true, address);
    }
  });

  test('an allowed IPv4 network does not open its addresses mapped into IPv6', () => {
    for (const address of [
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
    ]) {
      assert.equal(isDeniedAddress(address, networks('127.0.0.0/8')), true, address);
    }
  });
});

describe('checkBaseUrl', () => {
  test('allows public HTTPS on 443 and 8443, and splits the URL', () => {
    const { origin, basePath, isPrivate } = allow('https://api.openai.com/v1/');
    assert.deepEqual(
      { origin, basePath, isPrivate },
      { origin: 'https://api.openai.com', basePath: '/v1', isPrivate: false },
    );
    assert.equal(allow('https://api.openai.com').basePath, '');
    assert.equal(allow('https://api.openai.com:443/v1').origin, 'https://api.openai.com');
    assert.equal(allow('https://api.example:8443').origin, 'https://api.example:8443');
    assert.equal(allow('HTTPS://API.Example/a/b.c/d-e_f').basePath, '/a/b.c/d-e_f');
    assert.equal(allow('https://8.8.8.8/v1').origin, 'https://8.8.8.8');
    assert.equal(allow('https://[2606:4700::1111]/v1').origin, 'https://[2606:4700::1111]');
    assert.equal(allow('https://bücher.example').origin, 'https://xn--bcher-kva.example');
  });

  test('denies plain HTTP and other ports without an allowed network', () => {
    for (const url of [
      'http://api.openai.com',
      'http://127.0.0.1:11434/v1',
      'https://api.openai.com:8080',
      'https://api.openai.com:22',
      'https://api.openai.com:80',
      'https://api.openai.com:0',
    ]) {
      deny(url);
    }
  });

  test('denies other schemes, user names, queries, fragments and paths that are not plain', () => {
    for (const url of [
      'ftp://a.example',
      'file:///etc/passwd',
      'ws://a.example',
      'data:,x',
      'javascript:alert(1)',
      'api.openai.com',
      'https://u@a.example',
      'https://u:p@a.example',
      'https://@a.example',
      'https://a.example@b.example',
      'https://a.example?x=1',
      'https://a.example/?',
      'https://a.example/v1#x',
      'https://a.example#',
      'https://a.example//v1',
      'https://a.example/v1//',
      'https://a.example/%2e%2e/v1',
      'https://a.example/v1/../v2',
      'https://a.example/v1/.',
      'https://a.example/a%2fb',
      'https://a.example/v1\\x',
      'https:\\\\a.example',
      'https://a.example/ v1',
      ' https://a.example',
      'https://a\t.example',
      'https://a.example/v1\n',
      'https://',
      'https:///',
      '',
      `https://a.example/${'x'.repeat(3000)}`,
    ]) {
      deny(url);
    }
  });

  test('denies addresses that are not public in every spelling of them', () => {
    for (const host of words(`
      127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 0177.0.0.01 127.0.0.1. １２７.0.0.1 127。0。0。1
      %31%32%37.0.0.1 0 0x0 10.0.0.1 012.0.0.1 0xa9fea9fe 169.254.169.254 2852039166 192.168.1.1 [::1] [::]
      [::ffff:127.0.0.1] [::ffff:8.8.8.8] [0:0:0:0:0:ffff:7f00:1] [fe80::1] [fd00::1] [64:ff9b::7f00:1]
      [2002:7f00:1::]
    `)) {
      deny(`https://${host}/v1`);
    }
    deny('https://[fe80::1%25eth0]/v1');
  });

  test('an allowed network permits plain HTTP and any port, to its own addresses alone', () => {
    assert.equal(allow('http://127.0.0.1:11434/v1', '127.0.0.0/8').isPrivate, true);
    assert.equal(allow('https://127.0.0.1/v1', '127.0.0.0/8').isPrivate, false);
    assert.equal(allow('http://[::1]:8000', '::1/128').origin, 'http://[::1]:8000');
    assert.equal(allow('http://ollama.internal:11434', '10.0.0.0/8').isPrivate, true);
    deny('http://10.0.0.1:11434', '127.0.0.0/8');
    deny('http://8.8.8.8', '127.0.0.0/8');
    deny('https://8.8.8.8:9000', '127.0.0.0/8');
    deny('https://10.0.0.1', '127.0.0.0/8');
  });

  test('a private origin by name may be dialled in the allowed networks alone', () => {
    const origin = allow('http://ollama.internal:11434', '10.0.0.0/8');
    assert.equal(mayDial(origin, '10.1.2.3'), true);
    assert.equal(mayDial(origin, '8.8.8.8'), false);
    assert.equal(mayDial(origin, '192.168.0.1'), false);
    const mixed = allow('https://models.example', '10.0.0.0/8');
    assert.equal(mayDial(mixed, '10.1.2.3'), true);
    assert.equal(mayDial(mixed, '8.8.8.8'), true);
    assert.equal(mayDial(mixed, '192.168.0.1'), false);
  });

  test('two origins have the same key exactly when they mean the same', () => {
    const { key } = allow('https://a.example/v1', '10.0.0.0/8', '127.0.0.0/8');
    assert.equal(allow('https://A.example:443/v1/', '127.0.0.0/8', '10.0.0.0/8').key, key);
    assert.notEqual(allow('https://a.example/v1', '10.0.0.0/8').key, key);
    assert.notEqual(allow('https://a.example/v2', '10.0.0.0/8', '127.0.0.0/8').key, key);
  });
});

describe('parseNetworks', () => {
  test('reads networks of both families', () => {
    assert.equal(networks('10.0.0.0/8', 'fd00::/8').has('fd12::1'), true);
    assert.equal(NO_NETWORKS.has('10.0.0.1'), false);
  });

  test('refuses what is no network', () => {
    for (const cidr of [
      '',
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0/8',
      '::/129',
      'localhost/8',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '10.0.0.0/8.0',
      'fe80::1%eth0/10',
    ]) {
      const denial = parseNetworks([cidr]);
      assert.ok(denial instanceof Denial, cidr);
      assert.equal(denial.detail.param, 'allow_networks');
    }
    assert.ok(parseNetworks(Array.from({ length: 65 }, () => '10.0.0.0/8')) instanceof Denial);
  });
});
