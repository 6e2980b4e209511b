import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type RealServer, startRealServer } from '../../test/real-server.ts';
import { run as runIn } from '../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../test/stand-in-api.ts';

const SECRET = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
const LEAK = { object: 'leak', key_id: 'key_1', kind: 'key', version: 2, action: 'quarantined' };
const ORGANIZATION = { object: 'organization', id: 'org_1', name: 'default', leak_policy: 'quarantine' };
const LIST = { object: 'list', data: [ORGANIZATION], has_more: false };

const cwd = mkdtempSync(join(tmpdir(), 'keyfold-leaks-'));
let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(async () => {
  await api.close();
  rmSync(cwd, { recursive: true });
});

const run = (argv: readonly string[], stdin = '') =>
  runIn(['leaks', ...argv], {
    env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' },
    cwd,
    stdin,
  });

describe('keyfold leaks report', () => {
  test('takes the secret from standard input or a file, says what was done, and never prints it', async () => {
    api.reply({ body: LEAK });
    const flags = ['--found-at', 'https://example.org/1', '--note', 'in a log'];
    const piped = await run(['report', ...flags], `${SECRET}\n`);
    writeFileSync(join(cwd, 'leaked.key'), `  ${SECRET}\r\n`);
    const fromFile = await run(['report', '--secret-file', 'leaked.key']);
    assert.deepEqual(
      api.asked.map(({ method, url, body }) => [method, url, body]),
      [
        ['POST', '/v1/leaks', { secret: SECRET, url: 'https://example.org/1', note: 'in a log' }],
        ['POST', '/v1/leaks', { secret: SECRET }],
      ],
    );
    for (const { code, stdout, stderr } of [piped, fromFile]) {
      assert.equal(code, 0);
      assert.match(stdout, /^It was version 2 of key_1\.\nkey_1 is held/);
      assert.ok(!(stdout + stderr).includes(SECRET));
    }
  });

  test('what is next fits what was done, and what has leaked', async () => {
    const outcomes: readonly [object, RegExp][] = [
      [{}, /keyfold keys rotate key_1 --grace-s 0.*update key_1 --quarantined no\.\n.*revoke key_1/],
      [{ kind: 'signing_secret' }, /signing secret of key_1[^]*rotate-signing-secret key_1 --grace-s 0/],
      [{ action: 'rotated' }, /has ended[^]*keyfold keys rotate key_1/],
      [{ action: 'revoked' }, /revoked for good/],
      [{ action: 'none' }, /worth nothing any more/],
      [{ action: 'framed' }, /The server did: framed/],
    ];
    for (const [difference, says] of outcomes) {
      api.reply({ body: { ...LEAK, ...difference } });
      assert.match((await run(['report'], SECRET)).stdout, says);
    }
  });

  test('of an admin key it says how to get another', async () => {
    api.reply({ body: LEAK });
    const admin = SECRET.replace('live', 'admin');
    assert.match((await run(['report'], admin)).stdout, /keyfold init --recover-admin-key/);
    assert.doesNotMatch((await run(['report'], SECRET)).stdout, /recover-admin-key/);
  });

  test('what is no secret of this server ends with 4 and says whom to ask', async () => {
    const problem = { title: 'Not found.', detail: 'No secret of yours.', code: 'not_found', status: 404 };
    api.reply({ status: 404, body: problem });
    const { code, stderr } = await run(['report'], 'sk-proj-x');
    assert.deepEqual([code, /No secret of yours/.test(stderr)], [4, true]);
    assert.match(stderr, /a key of a provider/);
    api.reply({ status: 404, body: '<html>' });
    assert.match((await run(['report'], SECRET)).stderr, /Check KEYFOLD_URL/);
  });

  test('without a secret it asks nothing of the server, and --url is the server as everywhere', async () => {
    api.reply({ body: LEAK });
    assert.equal((await run(['report'], '\n')).code, 2);
    assert.equal((await run(['report', '--secret-file', 'none'])).code, 2);
    assert.equal((await run(['report', '--url', 'http://127.0.0.1:1'], SECRET)).code, 5);
    assert.deepEqual(api.asked, []);
  });
});

describe('a secret among the arguments', () => {
  const commands = [
    ['leaks', 'report'],
    ['keys', 'verify'],
    ['credentials', 'create', '--provider', 'openai', '--name', 'main'],
  ];
  for (const command of commands) {
    test(`${command.slice(0, 2).join(' ')} neither uses it nor repeats it`, async () => {
      api.reply({});
      const env = { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' };
      const { code, stdout, stderr } = await runIn([...command, SECRET], { env, cwd, stdin: SECRET });
      assert.equal(code, 2);
      assert.match(stderr, /takes no argument/);
      assert.ok(!(stdout + stderr).includes(SECRET));
      assert.deepEqual(api.asked, []);
    });
  }
});

describe('keyfold leaks policy', () => {
  test('shows what is done about a leaked key, and sets it for the own organization', async () => {
    api.reply({ body: LIST });
    assert.match((await run(['policy'])).stdout, /^Leak policy of default: quarantine\. .* is held/);
    api.reply({ body: LIST }, { body: { ...ORGANIZATION, leak_policy: 'revoke' } });
    assert.match((await run(['policy', 'revoke'])).stdout, /: revoke\. .* is revoked for good\.\n$/);
    assert.deepEqual(
      api.asked.map(({ method, url, body }) => [method, url, body]),
      [
        ['GET', '/v1/organizations', undefined],
        ['PATCH', '/v1/organizations/org_1', { leak_policy: 'revoke' }],
      ],
    );
  });

  test('with --json prints the organization as the API has it', async () => {
    api.reply({ body: LIST });
    assert.deepEqual(JSON.parse((await run(['policy', '--json'])).stdout), ORGANIZATION);
  });

  test('what is no policy asks nothing of the server; where there is no organization it ends with 4', async () => {
    api.reply({});
    assert.equal((await run(['policy', 'ignore'])).code, 2);
    assert.deepEqual(api.asked, []);
    assert.equal((await run(['policy', 'revoke'])).code, 4);
    assert.equal(api.asked.length, 1);
  });
});

describe('on a real server', () => {
  let server: RealServer;
  before(async () => {
    server = await startRealServer();
  });
  after(() => server[Symbol.asyncDispose]());
  const makeKey = () => server.runJson(['keys', 'create', '--permissions', 'chat', '--signing', '2']);
  const stateOf = async (id: string) =>
    /^state +(.+)$/m.exec((await server.run(['keys', 'show', id])).stdout)?.[1];

  test('a reported key is held, and goes on after the commands that the report names', async () => {
    const { id, api_key: key } = await makeKey();
    const report = await server.run(
      ['leaks', 'report', '--found-at', 'https://example.org/1'],
      `${String(key)}\n`,
    );
    assert.equal(await stateOf(String(id)), 'quarantined');
    const named =
      /keyfold (keys rotate \S+ --grace-s 0), .*, then keyfold (keys update \S+ --quarantined no)\./;
    const [, ...commands] = named.exec(report.stdout) ?? assert.fail(report.stdout);
    for (const command of commands) assert.equal((await server.run(command.split(' '))).code, 0);
    assert.equal(await stateOf(String(id)), 'active');
    assert.match((await server.run(['leaks', 'report'], String(key))).stdout, /worth nothing any more/);
  });

  test('the policy that is set is what is done, and shows in the state of the key', async () => {
    for (const [policy, action, state] of [
      ['rotate', 'rotated', 'no live version'],
      ['revoke', 'revoked', 'revoked'],
      ['quarantine', 'quarantined', 'quarantined'],
    ] as const) {
      assert.equal((await server.runJson(['leaks', 'policy', policy]))['leak_policy'], policy);
      const { id, signing_secret: secret } = await makeKey();
      const leak = await server.runJson(['leaks', 'report'], String(secret));
      assert.deepEqual(
        [leak['key_id'], leak['kind'], leak['action'], await stateOf(String(id))],
        [id, 'signing_secret', action, state],
      );
    }
  });
});
