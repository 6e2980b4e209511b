import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type RealServer, startRealServer } from '../../test/real-server.ts';
import { run as runIn } from '../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../test/stand-in-api.ts';

const SECRET = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
const SIGNING_SECRET = 'kf_sig_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';

let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(() => api.close());

const run = (...argv: readonly string[]) =>
  runIn(['keys', ...argv], { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' } });
const create = (...flags: readonly string[]) => run('create', '--permissions', 'chat', ...flags);

describe('the signing policy', () => {
  const cases: readonly [string, object][] = [
    ['--signing 2', { required: true, versions: ['2'] }],
    ['--signing 2,rfc9421 --signing 1', { required: true, versions: ['2', 'rfc9421', '1'] }],
    ['--signing 2 --signing-optional', { required: false, versions: ['2'] }],
    ['--signing-optional', { required: false }],
    [
      '--public-key AAAA',
      { required: true, versions: ['rfc9421'], algorithm: 'ed25519', public_key: 'AAAA' },
    ],
    [
      '--public-key AAAA --signing rfc9421 --signing-optional',
      { required: false, versions: ['rfc9421'], algorithm: 'ed25519', public_key: 'AAAA' },
    ],
  ];
  for (const [flags, signing] of cases) {
    test(`create ${flags} asks for ${JSON.stringify(signing)}`, async () => {
      api.reply({ status: 201, body: { id: 'key_1', api_key: SECRET } });
      assert.equal((await create(...flags.split(' '))).code, 0);
      assert.deepEqual(api.asked[0]?.body, { permissions: ['chat'], signing });
    });
  }

  test('what excludes itself, or is no version, asks nothing of the server', async () => {
    api.reply({});
    const { code, stderr } = await create('--public-key', 'AAAA', '--signing', '2');
    assert.deepEqual([code, /rfc9421 alone/.test(stderr)], [2, true]);
    assert.equal((await create('--signing', '3')).code, 2);
    assert.equal((await create('--signing', 'none')).code, 2);
    assert.equal((await run('update', 'key_1', '--signing', 'none', '--signing-optional')).code, 2);
    assert.equal((await run('update', 'key_1', '--signing', 'none', '--public-key', 'AAAA')).code, 2);
    assert.deepEqual(api.asked, []);
  });

  test('update ends signing with none, and leaves it alone where nothing is said of it', async () => {
    api.reply({ body: { id: 'key_1' } });
    await run('update', 'key_1', '--signing', 'none');
    await run('update', 'key_1', '--name', 'a');
    assert.deepEqual(
      api.asked.map(({ method, body }) => [method, body]),
      [
        ['PATCH', { signing: null }],
        ['PATCH', { name: 'a' }],
      ],
    );
  });
});

describe('the signing secret', () => {
  test('create prints it once, beside the key and in the same way', async () => {
    api.reply({ status: 201, body: { api_key: SECRET, signing_secret: SIGNING_SECRET, id: 'key_1' } });
    const { stdout } = await create('--signing', '2');
    for (const secret of [SECRET, SIGNING_SECRET]) {
      assert.match(stdout, new RegExp(`^ {2}${secret}$`, 'm'));
      assert.equal(stdout.split(secret).length, 2);
    }
    assert.match(stdout, /^They are shown this once: store them now\.$/m);
  });

  test('update prints it after the page of the key where it begins to sign, and speaks of none elsewhere', async () => {
    api.reply({ body: { signing_secret: SIGNING_SECRET, id: 'key_1' } });
    const { stdout } = await run('update', 'key_1', '--signing', '2');
    assert.match(stdout, new RegExp(`^id +key_1$[^]*^ {2}${SIGNING_SECRET}$[^]*shown this once`, 'm'));
    api.reply({ body: { id: 'key_1' } });
    assert.doesNotMatch((await run('update', 'key_1', '--name', 'a')).stdout, /this once/);
  });

  test('with --json it is in the answer of the API, and nowhere else', async () => {
    const answer = { signing_secret: SIGNING_SECRET, id: 'key_1' };
    api.reply({ body: answer });
    const { stdout, stderr } = await run('update', 'key_1', '--signing', '2', '--json');
    assert.deepEqual([JSON.parse(stdout), stderr], [answer, '']);
  });
});

describe('on a real server', () => {
  let server: RealServer;
  before(async () => {
    server = await startRealServer();
  });
  after(() => server[Symbol.asyncDispose]());
  const policyOf = ({ signing }: Readonly<Record<string, unknown>>) => {
    const { secrets, ...policy } = signing as { secrets: unknown[] };
    return [policy, secrets.length];
  };

  test('a key begins to sign, changes how, rotates its secret, and ends it', async () => {
    const { id } = await server.runJson(['keys', 'create', '--permissions', 'chat']);
    const update = ['keys', 'update', String(id)];
    const begun = await server.runJson([...update, '--signing', '2']);
    assert.match(String(begun['signing_secret']), /^kf_sig_\w{49}$/);
    const changed = await server.runJson([...update, '--signing', '2,rfc9421', '--signing-optional']);
    assert.deepEqual(policyOf(changed), [
      { required: false, versions: ['2', 'rfc9421'], algorithm: 'hmac-sha256' },
      1,
    ]);
    const rotate = ['keys', 'rotate-signing-secret', String(id)];
    assert.equal((await server.runJson(rotate))['version'], 2);
    assert.equal((await server.run(rotate)).code, 1);
    assert.equal((await server.runJson([...rotate, '--grace-s', '0']))['version'], 3);
    assert.equal((await server.runJson([...update, '--signing', 'none']))['signing'], null);
  });

  test('a key with a public key is made, changed and rotated without any secret', async () => {
    const newPublicKey = () => generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '';
    const made = await server.runJson([
      'keys',
      'create',
      '--permissions',
      'chat',
      '--public-key',
      newPublicKey(),
    ]);
    const policy = { versions: ['rfc9421'], algorithm: 'ed25519' };
    assert.deepEqual(policyOf(made), [{ required: true, ...policy }, 1]);
    const id = String(made['id']);
    const changed = await server.runJson(['keys', 'update', id, '--signing-optional']);
    assert.deepEqual(policyOf(changed), [{ required: false, ...policy }, 1]);
    const rotate = ['keys', 'rotate-signing-secret', id];
    const rotated = await server.runJson([...rotate, '--public-key', newPublicKey()]);
    assert.equal(rotated['version'], 2);
    for (const answer of [made, changed, rotated]) assert.equal(answer['signing_secret'], undefined);
    assert.equal((await server.run([...rotate, '--grace-s', '0'])).code, 1);
  });
});
