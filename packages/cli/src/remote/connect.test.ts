import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { connect } from './connect.ts';

const cwd = mkdtempSync(join(tmpdir(), 'keyfold-connect-'));
after(() => rmSync(cwd, { recursive: true }));

const KEYFOLD_ADMIN_KEY = 'kf_admin_example';

function urlOf(env: Record<string, string>): string {
  return connect({ env: { KEYFOLD_ADMIN_KEY, ...env }, cwd }, {}).url.href;
}

function refuses(env: Record<string, string>, advice: RegExp): void {
  assert.throws(
    () => connect({ env, cwd }, {}),
    (error) =>
      error instanceof CommandFailure &&
      error.exitCode === EXIT.usage &&
      advice.test(error.detail.advice ?? ''),
  );
}

describe('connect', () => {
  test('goes to this machine unless the environment or the flag says otherwise', () => {
    assert.equal(urlOf({}), 'http://127.0.0.1:8080/');
    assert.equal(urlOf({ KEYFOLD_URL: 'https://keyfold.example' }), 'https://keyfold.example/');
    const { url } = connect(
      { env: { KEYFOLD_ADMIN_KEY, KEYFOLD_URL: 'https://a' }, cwd },
      { url: 'https://b' },
    );
    assert.equal(url.host, 'b');
  });

  test('takes the base URL that programs use as well, and keeps a path in front of it', () => {
    assert.equal(urlOf({ KEYFOLD_URL: 'https://keyfold.example/v1' }), 'https://keyfold.example/');
    assert.equal(urlOf({ KEYFOLD_URL: 'https://example.org/keyfold/v1/' }), 'https://example.org/keyfold/');
  });

  test('never sends the admin key over a network in the clear, unless that is permitted', () => {
    refuses({ KEYFOLD_ADMIN_KEY, KEYFOLD_URL: 'http://keyfold.example' }, /KEYFOLD_ALLOW_PLAINTEXT=1/);
    const env = { KEYFOLD_URL: 'http://keyfold.example', KEYFOLD_ALLOW_PLAINTEXT: '1' };
    assert.equal(urlOf(env), 'http://keyfold.example/');
    assert.equal(urlOf({ KEYFOLD_URL: 'http://[::1]:1' }), 'http://[::1]:1/');
  });

  test('refuses what is no plain URL of a server', () => {
    for (const url of ['', 'keyfold', 'ftp://a', 'https://user:pw@a', 'https://a/?key=1', 'https://a/#x']) {
      refuses({ KEYFOLD_ADMIN_KEY, KEYFOLD_URL: url }, /KEYFOLD_URL/);
    }
  });

  test('takes the key from the environment or from the file it names', () => {
    writeFileSync(join(cwd, 'admin.key'), 'kf_admin_from_file\n');
    assert.ok(connect({ env: { KEYFOLD_ADMIN_KEY_FILE: 'admin.key' }, cwd }, {}).hasKey);
    refuses({}, /KEYFOLD_ADMIN_KEY/);
    refuses({ KEYFOLD_ADMIN_KEY_FILE: 'none.key' }, /KEYFOLD_ADMIN_KEY_FILE/);
    refuses({ KEYFOLD_ADMIN_KEY: 'kf_admin_a\r\nx: y' }, /49 letters/);
    assert.ok(!connect({ env: {}, cwd }, { keyOptional: true }).hasKey);
  });
});
