import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { run as runIn } from '../../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../../test/stand-in-api.ts';

const event = (sequence: number, detail: object = {}) => ({
  id: `1-${sequence}`,
  sequence,
  node: 1,
  time: '2026-11-23T12:00:00.000Z',
  actor: 'key_1',
  action: 'key.updated',
  target: 'key_2',
  decision: 'denied',
  address: '203.0.113.7',
  detail,
});
const sent = (sequence: number, detail?: object) =>
  `id: 1-${sequence}\ndata: ${JSON.stringify(event(sequence, detail))}\n\n`;

let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(() => api.close());
const run = (...argv: string[]) =>
  runIn(['audit', ...argv], { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' } });
const asked = () => api.asked.map(({ url }) => decodeURIComponent(url));

describe('keyfold audit search', () => {
  test('asks for what was said, and shows events with their facts and nothing that could move the cursor', async () => {
    const detail = { name: 'a\u001b[2J\u202e', status: 200, after: { name: 'b' } };
    api.reply({
      body: { object: 'list', data: [event(7, detail)], has_more: true, first_id: '1-7', last_id: '1-3' },
    });
    const filters = 'search --type key.* --key key_2 --project prj_1 --request req_1 --network 10.0.0.0/8';
    const { code, stdout, stderr } = await run(
      ...filters.split(' '),
      '--q',
      'a b',
      '--decision',
      'denied',
      '--limit',
      '5',
    );
    assert.equal(code, 0);
    assert.match(
      stdout,
      /key\.updated .*203\.0\.113\.7 +name=a\\u\{1b\}\[2J\\u\{202e\} status=200 after=\{"name":"b"\}/,
    );
    assert.match(stderr, /There is more: add --after 1-3/);
    assert.deepEqual(asked(), [
      '/v1/audit/events?type=key.*&key_id=key_2&project_id=prj_1&decision=denied&request_id=req_1&network=10.0.0.0/8&q=a+b&limit=5',
    ]);
  });
});

describe('keyfold audit tail', () => {
  const stream = (body: string) => ({ body, headers: { 'content-type': 'text/event-stream' } });

  test('prints one line an event, and takes up a stream that ended after the last of them', async () => {
    api.reply(stream(`: connected\n\n${sent(4)}${sent(5, { name: 'x\u0085' })}`), stream(sent(6)));
    const { code, stdout } = await run('tail', '--limit', '3', '--type', 'key.*');
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.match(
      lines[1] ?? '',
      /^2026-11-23T12:00:00Z key\.updated key_1 → key_2 from 203\.0\.113\.7 name=x\\u\{85\}$/,
    );
    assert.deepEqual(asked(), ['/v1/audit/stream?type=key.*', '/v1/audit/stream?type=key.*&after=1-5']);
  });

  test('--json prints the events as they are, and goes on from where a server dropped it', async () => {
    const dropped = 'event: dropped\ndata: {"reason":"too slow","resume":"1-9"}\n\n';
    const gap = 'event: gap\ndata: {"node":1,"first":1,"last":2}\n\n';
    api.reply(stream(gap + sent(8) + dropped), stream(sent(10)));
    const { stdout } = await run('tail', '--limit', '2', '--after', '1-1', '--json');
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id),
      ['1-8', '1-10'],
    );
    assert.deepEqual(asked(), ['/v1/audit/stream?after=1-1', '/v1/audit/stream?after=1-9']);
  });

  test('a stream that the server ends for good is a failure that says why', async () => {
    api.reply(stream('event: dropped\ndata: {"reason":"the key was changed or has ended"}\n\n'));
    const { code, stderr } = await run('tail');
    assert.equal(code, 1);
    assert.match(stderr, /the key was changed or has ended/);
  });
});
