import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../src/config/index.ts';
import { startKeyfold } from '../src/main.ts';

test('with a listener of its own the management API answers only there, and what clients need answers on both', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-control-'));
  let printed = '';
  const config = loadConfig({
    cwd: directory,
    flags: {},
    env: {
      KEYFOLD_LISTEN: '127.0.0.1:0',
      KEYFOLD_CONTROL_LISTEN: '[::1]:0',
      KEYFOLD_LOG_LEVEL: 'fatal',
      KEYFOLD_DATA_DIR: directory,
    },
  });
  const keyfold = await startKeyfold(config, { write: (text) => (printed += text) });
  const admin = /kf_admin_[0-9A-Za-z]+/.exec(printed)?.[0] ?? assert.fail('the admin key is printed');
  const statusOf = async (url: string) =>
    (await fetch(url, { headers: { authorization: `Bearer ${admin}` } })).status;
  try {
    for (const path of ['/healthz', '/readyz', '/v1/models', '/v1/keys/validate', '/v1/usage/current']) {
      assert.equal(await statusOf(keyfold.url + path), 200, path);
      assert.equal(await statusOf(keyfold.controlUrl + path), 200, path);
    }
    for (const path of ['/v1/keys', '/v1/credentials', '/metrics', '/openapi.json', '/docs']) {
      assert.equal(await statusOf(keyfold.url + path), 404, path);
      assert.equal(await statusOf(keyfold.controlUrl + path), 200, path);
    }
    const call = await fetch(`${keyfold.controlUrl}/v1/chat/completions`, { method: 'POST', body: '{}' });
    assert.equal(call.status, 404);
  } finally {
    await keyfold.stop();
    rmSync(directory, { recursive: true });
  }
});
