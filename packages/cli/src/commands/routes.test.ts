import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type RealServer, startRealServer } from '../../test/real-server.ts';

let real: RealServer;
before(async () => {
  real = await startRealServer();
  const create = ['credentials', 'create', '--provider', 'openai', '--name', 'main'];
  assert.equal((await real.run(create, 'sk-secret')).code, 0);
});
after(async () => {
  await real[Symbol.asyncDispose]();
});

const TARGETS = [
  '--target',
  'sandbox/echo,priority=1',
  '--target',
  'openai/gpt-4.1-mini,weight=3,credential=main',
];

describe('keyfold routes', () => {
  test('create takes targets with their share, turn and credential, and how often to try', async () => {
    const flags = ['--attempts-max', '5', '--first-token-timeout-ms', '8000'];
    const { code, stdout, stderr } = await real.run(['routes', 'create', 'fast', ...TARGETS, ...flags]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Made route rte_\w+ \(fast\)\.$/m);
    const { id } = await real.runJson(['credentials', 'show', 'main']);
    const route = await real.runJson(['routes', 'show', 'fast']);
    assert.deepEqual(route['targets'], [
      { model: 'sandbox/echo', credential_id: null, weight: 1, priority: 1 },
      { model: 'openai/gpt-4.1-mini', credential_id: id, weight: 3, priority: 0 },
    ]);
    assert.deepEqual(route['retry'], {
      attempts_max: 5,
      first_token_timeout_ms: 8_000,
      answer_timeout_ms: null,
    });
  });

  test('list has the targets in their turn, with shares', async () => {
    const { stdout } = await real.run(['routes', 'list']);
    assert.match(stdout, /^ID +NAME +TARGETS +ATTEMPTS +CREATED$/m);
    assert.match(stdout, /^rte_\w+ +fast +openai\/gpt-4\.1-mini \(3\) → sandbox\/echo \(1\) +5 /m);
  });

  test('show has a table of targets, by id and by name', async () => {
    const { id } = await real.runJson(['routes', 'show', 'fast']);
    for (const which of ['fast', String(id)]) {
      const { stdout } = await real.run(['routes', 'show', which]);
      assert.match(stdout, /^first token within \(ms\) +8000$/m);
      assert.match(stdout, /^PRIORITY +WEIGHT +MODEL +CREDENTIAL$/m);
      assert.match(stdout, /^ +0 +3 +openai\/gpt-4\.1-mini +crd_\w+$/m);
    }
  });

  test('update changes what it names and nothing else, one rule of the retries included', async () => {
    const before = await real.runJson(['routes', 'show', 'fast']);
    const timed = await real.runJson(['routes', 'update', 'fast', '--answer-timeout-ms', '30000']);
    assert.deepEqual(timed['retry'], { ...(before['retry'] as object), answer_timeout_ms: 30_000 });
    assert.deepEqual(timed['targets'], before['targets']);
    const cleared = await real.runJson(['routes', 'update', 'fast', '--answer-timeout-ms', 'none']);
    assert.deepEqual(cleared['retry'], before['retry']);
    const moved = await real.runJson(['routes', 'update', 'fast', '--target', 'sandbox/echo']);
    assert.deepEqual(moved['targets'], [
      { model: 'sandbox/echo', credential_id: null, weight: 1, priority: 0 },
    ]);
    const renamed = await real.run(['routes', 'update', 'fast', '--name', 'faster']);
    assert.match(renamed.stdout, /^name +faster$/m);
  });

  test('a program that asks for the route is served by its target', async () => {
    const key = await real.runJson(['keys', 'create', '--permissions', 'chat', '--models', 'faster']);
    const body = { model: 'faster', max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] };
    const answer = await real.keyfold.request('POST', '/v1/chat/completions', body, String(key['api_key']));
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-keyfold-model'), 'echo');
  });

  test('delete frees the name', async () => {
    assert.equal((await real.run(['routes', 'delete', 'faster', '--yes'])).stdout, 'Deleted faster.\n');
    const { code, stderr } = await real.run(['routes', 'show', 'faster']);
    assert.deepEqual([code, /keyfold routes list/.test(stderr)], [4, true]);
    assert.match(
      (await real.run(['routes', 'list'])).stdout,
      /^There are no routes\. Make one: keyfold routes create/,
    );
  });

  const wrong: readonly [string, readonly string[], RegExp][] = [
    ['no target', [], /--target/],
    ['a target without a provider', ['--target', 'gpt-4.1'], /provider\/model/],
    ['an unknown setting', ['--target', 'openai/m,share=2'], /weight=N, priority=N and credential=ID/],
    ['two targets in one', ['--target', 'openai/m,openai/n'], /more targets are more --target's/],
    ['a setting twice', ['--target', 'openai/m,weight=1,weight=2'], /'weight' twice/],
    ['a weight of nothing', ['--target', 'openai/m,weight=0'], /whole number from 1/],
    ['a priority below 0', ['--target', 'openai/m,priority=-1'], /whole number from 0/],
    ['an empty credential', ['--target', 'openai/m,credential='], /id or name/],
    ['an argument too many', [...TARGETS, 'slow'], /too many arguments/],
  ];
  for (const [what, flags, says] of wrong) {
    test(`${what} is refused before anything is sent`, async () => {
      const { code, stderr } = await real.run(['routes', 'create', 'wrong', ...flags]);
      assert.equal(code, 2);
      assert.match(stderr, says);
    });
  }

  test('a credential that nobody has, and one of another provider, make no route', async () => {
    const absent = await real.run(['routes', 'create', 'no', '--target', 'openai/m,credential=none']);
    assert.deepEqual([absent.code, /There is no credential of that name/.test(absent.stderr)], [4, true]);
    const foreign = await real.run(['routes', 'create', 'no', '--target', 'google/m,credential=main']);
    assert.deepEqual([foreign.code, /credential of provider 'google'/.test(foreign.stderr)], [1, true]);
  });

  test('update without anything to change says so', async () => {
    const { code, stderr } = await real.run(['routes', 'update', 'fast']);
    assert.deepEqual([code, /keyfold routes update --help/.test(stderr)], [2, true]);
  });
});
