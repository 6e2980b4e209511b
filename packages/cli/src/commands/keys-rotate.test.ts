import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type RealServer, startRealServer } from '../../test/real-server.ts';
import { run as runIn } from '../../test/run.ts';
import { type Reply, type StandInApi, startStandInApi } from '../../test/stand-in-api.ts';

const SECRET = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
const SIGNING_SECRET = 'kf_sig_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
const PAST = '2020-01-01T00:00:00.000Z';
const FUTURE = '2099-01-01T00:00:00.000Z';

const ROTATED = {
  key_id: 'key_1',
  version: 2,
  expires_at: null,
  previous_expires_at: FUTURE,
  rotation_id: 'rot_1',
};
const ROTATED_KEY = { new_api_key: SECRET, ...ROTATED };
const IN_GRACE: Reply = {
  status: 409,
  body: { title: 'No.', status: 409, detail: 'Version 1 is in its grace.', code: 'conflict' },
};
const VERSIONS = [
  { version: 2, expires_at: null, uses: 3, last_used_at: PAST },
  { version: 1, expires_at: FUTURE, last_used_at: PAST },
];

let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(() => api.close());

const run = (...argv: readonly string[]) =>
  runIn(['keys', ...argv], { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' } });

describe('keyfold keys rotate', () => {
  test('has the documented grace, and prints the new key once with its version, the end of the old one and the rotation', async () => {
    api.reply({ body: ROTATED_KEY });
    const { code, stdout } = await run('rotate', 'key_1');
    assert.equal(code, 0);
    assert.deepEqual(
      [api.asked[0]?.url, api.asked[0]?.body],
      ['/v1/keys/key_1/rotate', { grace_seconds: 300 }],
    );
    assert.match(
      stdout,
      /version 2; the one before it works until 2099-01-01T00:00:00Z \(rotation rot_1\)\.$/m,
    );
    assert.match(stdout, new RegExp(`^ {2}${SECRET}$`, 'm'));
    assert.equal(stdout.split(SECRET).length, 2);
    await run('rotate', 'key_1', '--grace-s', '0');
    assert.deepEqual(api.asked[1]?.body, { grace_seconds: 0 });
  });

  test('says that what was before has ended, and when the new version ends by itself', async () => {
    api.reply({ body: { ...ROTATED_KEY, previous_expires_at: PAST, expires_at: FUTURE } });
    const { stdout } = await run('rotate', 'key_1', '--grace-s', '0');
    assert.match(stdout, /what was before it has ended/);
    assert.match(stdout, /ends by itself at 2099-01-01T00:00:00Z, unless it is renewed/);
  });

  test('a lost answer is asked for again under the same Idempotency-Key, and the next rotation has another', async () => {
    api.reply({ breaks: true }, { body: ROTATED_KEY });
    assert.match((await run('rotate', 'key_1')).stdout, new RegExp(SECRET));
    await run('rotate', 'key_1');
    const [first, again, next] = api.asked.map(({ idempotencyKey }) => idempotencyKey ?? assert.fail());
    assert.deepEqual([api.asked.length, first === again, first === next], [3, true, false]);
  });

  test('with --json prints the answer of the API and nothing else', async () => {
    api.reply({ body: ROTATED_KEY });
    const { stdout, stderr } = await run('rotate', 'key_1', '--json');
    assert.deepEqual([JSON.parse(stdout), stderr], [ROTATED_KEY, '']);
  });

  test('refused for a grace, it says which version, who uses it, and the commands that end it', async () => {
    api.reply(IN_GRACE, { body: { id: 'key_1', revoked_at: null, versions: VERSIONS } });
    const { code, stderr } = await run('rotate', 'key_1');
    assert.equal(code, 1);
    assert.match(stderr, /Version 1 is in its grace\./);
    assert.match(stderr, /Version 1 was last used at 2020-01-01T00:00:00Z\. Wait until 2099-01-01T00:00:00Z/);
    assert.match(stderr, /keyfold keys end-version key_1 1\./);
    assert.match(stderr, /--grace-s 0/);
    assert.doesNotMatch(stderr, /got lost/);
    api.reply(IN_GRACE, { body: { id: 'key_1', versions: VERSIONS } });
    const { error } = JSON.parse((await run('rotate', 'key_1', '--json')).stderr) as {
      error: Record<string, unknown>;
    };
    assert.deepEqual([error['code'], error['status'], error['exit_code']], ['conflict', 409, 1]);
    assert.match(String(error['advice']), /end-version key_1 1/);
  });

  test('refused for anything else, or where the key may not be looked at, it does not speak of a grace', async () => {
    const versions = [{ version: 1, expires_at: null }];
    const others: readonly Reply[] = [
      { body: { id: 'key_1', versions } },
      { body: { id: 'key_1', revoked_at: PAST, versions: VERSIONS } },
      { status: 403, body: { title: 'No.', code: 'permission_denied' } },
    ];
    for (const other of others) {
      api.reply(IN_GRACE, other);
      const { code, stderr } = await run('rotate', 'key_1');
      assert.equal(code, 1);
      assert.match(stderr, /present state/);
      assert.doesNotMatch(stderr, /end-version/);
    }
  });
});

describe('keyfold keys end-version', () => {
  test('ends a version at once, or gives it so many seconds from now', async () => {
    api.reply({ body: { id: 'key_1', versions: VERSIONS } });
    const { code, stdout } = await run('end-version', 'key_1', '1');
    assert.deepEqual([code, stdout], [0, 'Version 1 of key_1 has ended.\n']);
    const later = await run('end-version', 'key_1', '1', '--grace-s', '3600', '--yes');
    assert.equal(later.stdout, 'Version 1 of key_1 works until 2099-01-01T00:00:00Z.\n');
    assert.deepEqual(
      api.asked.map(({ method, url, body }) => [method, url, body]),
      [
        ['PATCH', '/v1/keys/key_1/versions/1', { grace_seconds: 0 }],
        ['PATCH', '/v1/keys/key_1/versions/1', { grace_seconds: 3600 }],
      ],
    );
  });

  test('without a version that is a number it asks nothing of the server', async () => {
    api.reply({});
    for (const argv of [['key_1'], ['key_1', 'ver_1'], ['key_1', '0'], ['key_1', '../..']]) {
      assert.equal((await run('end-version', ...argv)).code, 2);
    }
    assert.deepEqual(api.asked, []);
  });
});

describe('keyfold keys rotate-signing-secret', () => {
  test('prints the new secret once', async () => {
    api.reply({ body: { signing_secret: SIGNING_SECRET, ...ROTATED } });
    const { stdout } = await run('rotate-signing-secret', 'key_1', '--grace-s', '60');
    assert.deepEqual(
      [api.asked[0]?.url, api.asked[0]?.body, typeof api.asked[0]?.idempotencyKey],
      ['/v1/keys/key_1/signing-secret/rotate', { grace_seconds: 60 }, 'string'],
    );
    assert.match(stdout, /version 2 of its signing secret; the one before it is accepted until 2099/);
    assert.match(stdout, new RegExp(`^ {2}${SIGNING_SECRET}$`, 'm'));
  });

  test('takes a public key, of which there is no secret to print', async () => {
    api.reply({ body: { ...ROTATED, previous_expires_at: PAST } });
    const { stdout } = await run('rotate-signing-secret', 'key_1', '--public-key', 'AAAA', '--grace-s', '0');
    assert.deepEqual(api.asked[0]?.body, { grace_seconds: 0, public_key: 'AAAA' });
    assert.equal(
      stdout,
      'Key key_1 has version 2 of its public key; what was before it has ended (rotation rot_1).\n',
    );
  });

  test('refused for a grace, it names no command that ends a secret early, since there is none', async () => {
    const key = { id: 'key_1', versions: VERSIONS, signing: { secrets: VERSIONS } };
    api.reply(IN_GRACE, { body: key });
    const { code, stderr } = await run('rotate-signing-secret', 'key_1');
    assert.equal(code, 1);
    assert.match(stderr, /Wait until 2099-01-01T00:00:00Z\. Or rotate with --grace-s 0/);
    assert.doesNotMatch(stderr, /end-version/);
  });
});

describe('on a real server', () => {
  let server: RealServer;
  before(async () => {
    server = await startRealServer();
  });
  after(() => server[Symbol.asyncDispose]());

  test('a refused rotation goes through once the command that the refusal names was run', async () => {
    const { id, api_key: first } = await server.runJson(['keys', 'create', '--permissions', 'chat']);
    const { new_api_key: second } = await server.runJson(['keys', 'rotate', String(id)]);
    const refused = await server.run(['keys', 'rotate', String(id)]);
    assert.equal(refused.code, 1);
    const [command = assert.fail(refused.stderr)] = /keys end-version key_\w+ 1/.exec(refused.stderr) ?? [];
    assert.equal((await server.run(command.split(' '))).code, 0);
    const works = async (key: unknown) => (await server.run(['keys', 'verify'], String(key))).code === 0;
    assert.deepEqual([await works(first), await works(second)], [false, true]);
    const third = await server.runJson(['keys', 'rotate', String(id)]);
    assert.deepEqual([third['key_id'], third['version']], [id, 3]);
    assert.match((await server.run(['keys', 'show', String(id)])).stdout, /in grace/);
  });

  test('a new version that got lost is ended and replaced, while the old one goes on', async () => {
    const { id, api_key: first } = await server.runJson(['keys', 'create', '--permissions', 'chat']);
    await server.runJson(['keys', 'rotate', String(id)]);
    const refused = await server.run(['keys', 'rotate', String(id)]);
    const [, command = assert.fail(refused.stderr)] =
      /If version 2 got lost: keyfold (keys end-version key_\w+ 2)\./.exec(refused.stderr) ?? [];
    assert.equal((await server.run(command.split(' '))).code, 0);
    assert.equal((await server.runJson(['keys', 'rotate', String(id)]))['version'], 3);
    assert.equal((await server.run(['keys', 'verify'], String(first))).code, 0);
  });

  test('a version in its grace is prolonged, and no version ends another time', async () => {
    const { id } = await server.runJson(['keys', 'create', '--permissions', 'chat']);
    await server.runJson(['keys', 'rotate', String(id), '--grace-s', '60']);
    const end = ['keys', 'end-version', String(id), '1'];
    assert.match(
      (await server.run([...end, '--grace-s', '3600'])).stdout,
      /^Version 1 of key_\w+ works until /,
    );
    assert.equal((await server.run(end)).code, 0);
    const again = await server.run(end);
    assert.deepEqual([again.code, /does not come back/.test(again.stderr)], [1, true]);
    assert.equal((await server.run(['keys', 'end-version', String(id), '7'])).code, 4);
  });

  test('children are listed under their parent alone', async () => {
    const { id, api_key: key } = await server.runJson(['keys', 'create', '--permissions', 'chat']);
    const made = await server.keyfold.request('POST', '/v1/keys/self/children', {}, String(key));
    const idsOf = async (...flags: string[]) => {
      const { data } = await server.runJson(['keys', 'list', ...flags]);
      return (data as { id: string }[]).map((row) => row.id);
    };
    assert.deepEqual(await idsOf('--parent', String(id)), [made.body['id']]);
    assert.ok(!(await idsOf()).includes(String(made.body['id'])));
    const page = await server.run(['keys', 'show', String(made.body['id'])]);
    assert.match(page.stdout, new RegExp(`^parent +${String(id)}$`, 'm'));
  });
});
