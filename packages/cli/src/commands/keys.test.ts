import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { run as runIn } from '../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../test/stand-in-api.ts';

const SECRET = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
const KEY = {
  object: 'key',
  id: 'key_1',
  name: 'payments',
  kind: 'live',
  project_id: 'prj_1',
  permissions: ['chat', 'embeddings'],
  models: null,
  networks: null,
  limits: { requests_per_minute: 60, tokens_per_minute: null, concurrent_requests: null },
  budgets: [
    {
      scope: 'key',
      period: 'month',
      cap_usd: '100.00',
      posted_usd: '12.50',
      held_usd: '0.25',
      remaining_usd: '87.25',
      resets_at: '2030-02-01T00:00:00Z',
    },
  ],
  expires_at: null,
  revoked_at: null,
  auto_rotate: false,
  rotation_interval: 86400,
  metadata: { team: 'a' },
  created_at: '2030-01-01T00:00:00Z',
  versions: [
    {
      id: 'ver_1',
      version: 1,
      display: 'kf_live_42un…9OAG',
      created_at: '2030-01-01T00:00:00Z',
      expires_at: null,
    },
  ],
};

describe('keyfold keys', () => {
  let api: StandInApi;
  before(async () => {
    api = await startStandInApi();
  });
  after(() => api.close());
  const run = (argv: readonly string[], stdin = '') =>
    runIn(['keys', ...argv], { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' }, stdin });

  test('create sends exactly the rules that were given and prints the key once, on its own line', async () => {
    api.reply({ status: 201, body: { api_key: SECRET, ...KEY } });
    const flags = ['--name', 'payments', '--permissions', 'chat,embeddings', '--requests-per-minute', '60'];
    const rules = ['--per-month-usd', '100', '--models', 'claude-*', '--metadata', 'team=a', '--expires-at'];
    const { code, stdout } = await run(['create', ...flags, ...rules, '2030-01-31T00:00:00Z']);
    assert.equal(code, 0);
    const [{ idempotencyKey, ...asked } = assert.fail(), ...more] = api.asked;
    assert.deepEqual([idempotencyKey !== undefined, more], [true, []]);
    assert.deepEqual(asked, {
      method: 'POST',
      url: '/v1/keys',
      authorization: 'Bearer kf_admin_x',
      body: {
        name: 'payments',
        permissions: ['chat', 'embeddings'],
        limits: { requests_per_minute: 60 },
        budgets: { per_month_usd: '100' },
        models: ['claude-*'],
        metadata: { team: 'a' },
        expires_at: '2030-01-31T00:00:00.000Z',
      },
    });
    assert.match(stdout, new RegExp(`^ {2}${SECRET}$`, 'm'));
    assert.match(stdout, /Made key key_1 \(payments\)/);
    assert.match(stdout, /shown this once/);
  });

  test('a POST whose connection breaks is sent once more under the same Idempotency-Key; the next has another', async () => {
    api.reply({ breaks: true }, { status: 201, body: { api_key: SECRET, ...KEY } });
    const create = ['create', '--permissions', 'chat'];
    assert.equal((await run(create)).code, 0);
    assert.equal((await run(create)).code, 0);
    const [first, again, next] = api.asked.map(({ idempotencyKey }) => idempotencyKey ?? assert.fail());
    assert.deepEqual([api.asked.length, first === again, first === next], [3, true, false]);
    api.reply({ breaks: true });
    assert.equal((await run(create)).code, 5);
    assert.equal(api.asked.length, 2);
    api.reply({ breaks: true });
    assert.equal((await run(['revoke', 'key_1'])).code, 5);
    assert.deepEqual(
      api.asked.map(({ idempotencyKey }) => idempotencyKey),
      [undefined],
    );
  });

  test('create with --json prints the answer of the API and nothing else', async () => {
    api.reply({ status: 201, body: { api_key: SECRET, ...KEY } });
    const { stdout, stderr } = await run(['create', '--permissions', 'chat', '--json']);
    assert.deepEqual(JSON.parse(stdout), { api_key: SECRET, ...KEY });
    assert.equal(stderr, '');
  });

  test('create without permissions, or with a value that is not one, asks nothing of the server', async () => {
    api.reply({});
    assert.equal((await run(['create'])).code, 2);
    const { code, stderr } = await run(['create', '--permissions', 'chat', '--per-day-usd', 'ten']);
    assert.equal(code, 2);
    assert.match(stderr, /dollars such as 12\.50/);
    assert.deepEqual(api.asked, []);
  });

  test('list prints a table, says when there is more, and passes the filters on', async () => {
    const revoked = { ...KEY, id: 'key_2', name: null, revoked_at: '2030-01-02T00:00:00Z' };
    api.reply({
      body: { object: 'list', data: [KEY, revoked], has_more: true, first_id: 'key_1', last_id: 'key_2' },
    });
    const { stdout, stderr } = await run(['list', '--project', 'prj_1', '--limit', '2']);
    assert.equal(api.asked[0]?.url, '/v1/keys?project_id=prj_1&limit=2');
    const [titles, first, second] = stdout.split('\n');
    assert.match(titles ?? '', /^ID +NAME +KIND +STATE +KEY/);
    assert.match(first ?? '', /^key_1 +payments +live +active +kf_live_42un…9OAG/);
    assert.match(second ?? '', /^key_2 +– +live +revoked/);
    assert.match(stderr, /--after key_2/);
  });

  test('list --all follows the pages to the end and prints them as one list', async () => {
    api.reply(
      { body: { object: 'list', data: [KEY], has_more: true, first_id: 'key_1', last_id: 'key_1' } },
      {
        body: {
          object: 'list',
          data: [{ ...KEY, id: 'key_2' }],
          has_more: false,
          first_id: 'key_2',
          last_id: 'key_2',
        },
      },
    );
    const { stdout } = await run(['list', '--all', '--json']);
    assert.deepEqual(
      api.asked.map(({ url }) => url),
      ['/v1/keys?limit=100', '/v1/keys?limit=100&after=key_1'],
    );
    const list = JSON.parse(stdout) as { data: { id: string }[]; has_more: boolean; last_id: string };
    assert.deepEqual(
      [list.data.map(({ id }) => id), list.has_more, list.last_id],
      [['key_1', 'key_2'], false, 'key_2'],
    );
  });

  test('list --parent asks for the children of one key, and says where there are none', async () => {
    api.reply({ body: { object: 'list', data: [], has_more: false, first_id: null, last_id: null } });
    const { stdout } = await run(['list', '--parent', 'key_1']);
    assert.equal(api.asked[0]?.url, '/v1/keys?parent_id=key_1');
    assert.match(stdout, /no children/);
  });

  test('create makes a canary and says what it is; update does not take the option', async () => {
    api.reply({ status: 201, body: { api_key: SECRET, ...KEY } });
    const flags = ['--name', 'bait', '--permissions', 'chat', '--not-before', '2099-01-01T00:00:00Z'];
    const { stdout } = await run(['create', ...flags, '--canary']);
    assert.deepEqual(api.asked[0]?.body, {
      name: 'bait',
      permissions: ['chat'],
      not_before: '2099-01-01T00:00:00.000Z',
      canary: true,
    });
    assert.match(stdout, /^Made canary key_1 \(bait\)\. It never works/);
    assert.equal((await run(['update', 'key_1', '--canary'])).code, 2);
    assert.equal(api.asked.length, 1);
  });

  test('update holds a key and lets it go; create does not take the option', async () => {
    api.reply({ body: KEY });
    await run(['update', 'key_1', '--quarantined', 'yes']);
    await run(['update', 'key_1', '--quarantined', 'no', '--not-before', 'none']);
    assert.deepEqual(
      api.asked.map(({ body }) => body),
      [{ quarantined: true }, { quarantined: false, not_before: null }],
    );
    assert.equal((await run(['update', 'key_1', '--quarantined', 'perhaps'])).code, 2);
    assert.equal((await run(['create', '--permissions', 'chat', '--quarantined', 'yes'])).code, 2);
    assert.equal(api.asked.length, 2);
  });

  test('an empty list says what to do', async () => {
    api.reply({ body: { object: 'list', data: [], has_more: false, first_id: null, last_id: null } });
    assert.match((await run(['list'])).stdout, /keyfold keys create/);
  });

  test('show prints rules, budgets and versions', async () => {
    api.reply({ body: KEY });
    const { stdout } = await run(['show', 'key_1']);
    assert.equal(api.asked[0]?.url, '/v1/keys/key_1');
    assert.match(stdout, /^requests per minute +60$/m);
    assert.match(stdout, /^models +–$/m);
    assert.match(stdout, /^metadata +team=a$/m);
    assert.match(stdout, /^key +month +100\.00 +12\.50 +0\.25 +87\.25/m);
    assert.match(stdout, /kf_live_42un…9OAG +ver_1/);
  });

  test('update sends only what changes, null for none, and refuses to change nothing', async () => {
    api.reply({ body: KEY });
    const { code } = await run([
      'update',
      'key_1',
      '--models',
      'none',
      '--per-day-usd',
      'none',
      '--no-auto-rotate',
    ]);
    assert.equal(code, 0);
    assert.equal(api.asked[0]?.method, 'PATCH');
    assert.deepEqual(api.asked[0]?.body, {
      models: null,
      budgets: { per_day_usd: null },
      auto_rotate: false,
    });
    const nothing = await run(['update', 'key_1']);
    assert.equal(nothing.code, 2);
    assert.match(nothing.stderr, /at least one rule/);
  });

  test('revoke deletes, and an id cannot lead to another path', async () => {
    api.reply({ status: 204, body: '' });
    assert.equal((await run(['revoke', 'key_1'])).stdout, 'Revoked key_1.\n');
    await run(['revoke', '../credentials/crd_1']);
    assert.deepEqual(
      api.asked.map(({ method, url }) => `${method} ${url}`),
      ['DELETE /v1/keys/key_1', 'DELETE /v1/keys/..%2Fcredentials%2Fcrd_1'],
    );
  });

  test('verify reads the key from standard input and fails for one that is not valid', async () => {
    api.reply({ body: { valid: true, key_id: 'key_1', permissions: ['chat'] } });
    const good = await run(['verify', '--permission', 'chat'], `${SECRET}\n`);
    assert.equal(good.code, 0);
    assert.deepEqual(api.asked[0]?.body, { key: SECRET, permission: 'chat' });
    assert.match(good.stdout, /^key id +key_1$/m);
    api.reply({
      body: { valid: false, error: { code: 'key_revoked', message: 'The key has been revoked.' } },
    });
    const bad = await run(['verify'], SECRET);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /has been revoked/);
    assert.equal((await run(['verify'], '')).code, 2);
  });
});
