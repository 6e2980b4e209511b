import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { providePython } from '../../../../test/services/python.ts';
import { MODEL, describeGateway } from '../gateway/support.ts';

const PROGRAM = fileURLToPath(new URL('key_lifecycle.py', import.meta.url));
const TIMEOUT_MS = 60_000;

describeGateway('a Python program', {}, (gateway) => {
  test('creates, validates and rotates a key, and both versions chat during the grace', async () => {
    const { keyfold, provider } = gateway();
    const before = provider.calls.length;
    const { stdout } = await promisify(execFile)(providePython(), [PROGRAM, `${keyfold.url}/v1`, MODEL], {
      env: { PATH: process.env['PATH'], KEYFOLD_ADMIN_KEY: keyfold.adminKey },
      timeout: TIMEOUT_MS,
    });
    const seen = JSON.parse(stdout) as {
      readonly key_id: string;
      readonly rotated_key_id: string;
      readonly version: number;
      readonly old: object;
      readonly new: object;
      readonly wrong: {
        readonly status: number;
        readonly body: { readonly error: { readonly code: string } };
      };
    };
    assert.deepEqual([seen.rotated_key_id, seen.version], [seen.key_id, 2]);
    const content = 'Hello from the provider.';
    assert.deepEqual(seen.old, { valid: true, remaining_quota: 60, status: 200, content });
    assert.deepEqual(seen.new, { valid: true, remaining_quota: 59, status: 200, content });
    assert.deepEqual([seen.wrong.status, seen.wrong.body.error.code], [401, 'invalid_api_key']);
    assert.equal(provider.calls.length, before + 2);
  });
});
