import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { run as runIn } from '../../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../../test/stand-in-api.ts';

const VKEY = 'keyfold-0102030405060708+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const note = (size: number) =>
  `keyfold-0102030405060708/node/1\n${size}\nAAAA\n\n— keyfold-0102030405060708 BBBB\n`;
const row = (size: number) => ({
  id: `1-${size}`,
  node: 1,
  size,
  time: '2026-11-23T12:00:00.000Z',
  head: 'AAAA',
  note: note(size),
});

let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(() => api.close());
const run = (...argv: string[]) =>
  runIn(['audit', ...argv], { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' } });
const reply = (has_more: boolean, ...sizes: number[]) =>
  api.reply({
    body: {
      object: 'list',
      vkey: VKEY,
      inconsistent: [],
      data: sizes.map((size) => row(size)),
      has_more,
      first_id: null,
      last_id: `1-${sizes.at(-1)}`,
    },
  });

describe('keyfold audit', () => {
  test('checkpoints lists them, newest first', async () => {
    reply(false, 2_000, 1_000);
    const { code, stdout } = await run('checkpoints', '--node', '1', '--limit', '2');
    assert.equal(code, 0);
    assert.match(stdout, /1-2000[^]*1-1000/);
    assert.ok(!stdout.includes('—'));
  });

  test('checkpoints --notes prints what a checkpoint file holds, oldest first', async () => {
    reply(false, 2_000, 1_000);
    const { stdout } = await run('checkpoints', '--notes');
    assert.equal(stdout, `${note(1_000)}\n${note(2_000)}\n`);
  });

  test('checkpoints --notes says so where there are more', async () => {
    reply(true, 2_000);
    const { stderr } = await run('checkpoints', '--notes');
    assert.match(stderr, /add --all/);
  });

  test('key prints the verifier key and nothing else', async () => {
    reply(false, 1_000);
    assert.equal((await run('key')).stdout, `${VKEY}\n`);
    reply(false);
    assert.deepEqual(JSON.parse((await run('key', '--json')).stdout), { vkey: VKEY });
  });
});
