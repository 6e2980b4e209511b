import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nearestName } from './nearest-name.ts';
import {
  InvalidValue,
  formatEndpoint,
  parseEndpoint,
  parseInteger,
  parseNetworks,
  parseSyslogAddress,
  parseWebUrl,
} from './parse-value.ts';

describe('parseEndpoint', () => {
  test('reads names, IPv4 and bracketed IPv6, and writes them back the same', () => {
    for (const text of ['127.0.0.1:8080', '[::1]:0', 'localhost:65535', 'gw-1.example:443', '[fe80::1]:80']) {
      assert.equal(formatEndpoint(parseEndpoint(text)), text);
    }
    assert.deepEqual(parseEndpoint('[::1]:80'), { host: '::1', port: 80 });
  });

  test('refuses what is incomplete or ambiguous instead of guessing', () => {
    const wrong = [
      '',
      '8080',
      ':8080',
      '127.0.0.1',
      '127.0.0.1:',
      '::1:80',
      '[::1]',
      '[127.0.0.1]:80',
      '256.0.0.1:80',
    ];
    for (const text of [...wrong, '127.1:80', 'a:65536', 'a:-1', 'a:1x', 'a b:1', 'http://a:1', '-a:1']) {
      assert.throws(() => parseEndpoint(text), InvalidValue, text);
    }
  });
});

describe('where checkpoints go', () => {
  test('a syslog receiver has a scheme, a host and a port', () => {
    assert.deepEqual(parseSyslogAddress('tcp://127.0.0.1:601'), {
      host: '127.0.0.1',
      port: 601,
      isTls: false,
    });
    assert.deepEqual(parseSyslogAddress('tls://[::1]:6514'), { host: '::1', port: 6_514, isTls: true });
    for (const text of [
      '',
      'logs.example:514',
      'udp://a:514',
      'tcp://a',
      'tcp://a:0',
      'tls://a:1/x',
      'tcp://u@a:1',
    ])
      assert.throws(() => parseSyslogAddress(text), InvalidValue, text);
  });

  test('a webhook is a URL of the web', () => {
    assert.equal(parseWebUrl('https://hooks.example/keyfold'), 'https://hooks.example/keyfold');
    for (const text of ['', 'hooks.example', 'file:///etc/passwd', 'https://'])
      assert.throws(() => parseWebUrl(text), InvalidValue, text);
  });
});

describe('parseNetworks', () => {
  test('reads networks and single addresses of both families; nothing is none', () => {
    assert.deepEqual(parseNetworks('10.0.0.0/8, fd00::/8,127.0.0.1'), [
      '10.0.0.0/8',
      'fd00::/8',
      '127.0.0.1',
    ]);
    assert.deepEqual(parseNetworks(''), []);
  });

  test('refuses anything else', () => {
    for (const text of [
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      'proxy',
      '10.0.0.0/08',
      '10/8',
    ]) {
      assert.throws(() => parseNetworks(text), InvalidValue, text);
    }
  });
});

describe('parseInteger', () => {
  test('refuses signs, fractions, exponents and what is out of range', () => {
    const parse = parseInteger(1, 100);
    assert.equal(parse('100', ''), 100);
    for (const text of ['', '0', '101', '+1', '1.0', '1e1', ' 1', '0x1', '１']) {
      assert.throws(() => parse(text, ''), InvalidValue, text);
    }
  });
});

describe('nearestName', () => {
  test('is the name with the fewest edits', () => {
    assert.equal(nearestName('lisen', ['log_level', 'listen']), 'listen');
    assert.equal(nearestName('', ['abc', 'ab']), 'ab');
  });
});
