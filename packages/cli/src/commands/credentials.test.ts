import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type TestServer, startHttp } from '../../../server/test/stand-in-origin.ts';
import { type RealServer, startRealServer } from '../../test/real-server.ts';

const directory = mkdtempSync(join(tmpdir(), 'keyfold-cli-credentials-'));
const secretFile = join(directory, 'own.key');
let real: RealServer;
let vendor: TestServer;
/** How the provider answers, and what it is asked with. */
let answer: RequestListener;
const heard: (string | undefined)[] = [];

before(async () => {
  writeFileSync(secretFile, 'sk-from-a-file\n');
  real = await startRealServer();
  vendor = await startHttp((request, response) => {
    heard.push(request.headers.authorization);
    answer(request, response);
  });
  answer = lists;
  const create = ['credentials', 'create', '--provider', 'openai-compatible', '--name', 'own'];
  const { code, stdout, stderr } = await real.run([...create, ...at(vendor.url)], 'sk-own');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Added credential crd_\w+ \(openai-compatible, own\)\. It offers: first, second\.$/m);
  assert.match(stderr, /keyfold credentials test crd_/);
});
after(async () => {
  await real[Symbol.asyncDispose]();
  await vendor[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const at = (url: string) => ['--base-url', `${url}/v1`, '--allow-networks', '127.0.0.0/8'];
const lists: RequestListener = (_, response) =>
  response.end(JSON.stringify({ data: [{ id: 'first' }, { id: 'second' }] }));
const refuses: RequestListener = (_, response) =>
  response.writeHead(401).end('{"error":{"message":"sk-own"}}');
const show = () => real.runJson(['credentials', 'show', 'own']);

describe('keyfold credentials test', () => {
  test('says that a credential works and what its provider has, by id and by name', async () => {
    answer = lists;
    const { code, stdout } = await real.run(['credentials', 'test', 'own']);
    assert.equal(code, 0);
    assert.match(stdout, /^works +yes$/m);
    assert.match(stdout, /^models +first, second$/m);
    const { id } = await show();
    const tested = await real.runJson(['credentials', 'test', String(id)]);
    assert.deepEqual([tested['ok'], tested['credential_id']], [true, id]);
  });

  test('ends with 1 where it does not work, with what is wrong and what to do, and without the secret', async () => {
    answer = refuses;
    const { code, stdout, stderr } = await real.run(['credentials', 'test', 'own']);
    assert.equal(code, 1);
    assert.match(stdout, /^works +no$/m);
    assert.match(stdout, /^reason +credential$/m);
    assert.match(stderr, /^error: The credential does not work: the provider refuses its secret/m);
    assert.match(stderr, /keyfold credentials rotate crd_/);
    assert.doesNotMatch(stdout + stderr, /sk-own/);
    const asJson = await real.run(['credentials', 'test', 'own', '--json']);
    const { error } = JSON.parse(asJson.stderr) as { error: Record<string, unknown> };
    assert.deepEqual([asJson.code, error['code'], error['exit_code']], [1, 'credential', 1]);
    assert.equal((JSON.parse(asJson.stdout) as Record<string, unknown>)['ok'], false);
  });

  test('a page in place of an API points at the base URL', async () => {
    answer = (_, response) => response.end('<html></html>');
    const { stderr } = await real.run(['credentials', 'test', 'own']);
    assert.match(stderr, /no list of models\.\n.*keyfold credentials update crd_\w+ --base-url URL/);
  });

  test('a name that nobody has is not repeated: it may be a secret', async () => {
    const { code, stderr } = await real.run(['credentials', 'test', 'sk-by-mistake']);
    assert.equal(code, 4);
    assert.match(stderr, /keyfold credentials list/);
    assert.doesNotMatch(stderr, /sk-by-mistake/);
  });
});

describe('keyfold credentials update', () => {
  test('sets share and limits, takes them away again, and leaves what it does not name', async () => {
    const before = await show();
    const flags = ['--weight', '3', '--requests-per-minute', '60', '--tokens-per-minute', '1000'];
    flags.push('--stream-policy', 'streamed');
    const { code, stdout } = await real.run(['credentials', 'update', 'own', ...flags]);
    assert.equal(code, 0);
    assert.match(stdout, /^weight +3$/m);
    assert.match(stdout, /^requests per minute +60$/m);
    assert.match(stdout, /^cut streams charged +streamed$/m);
    const cleared = ['--requests-per-minute', 'none', '--tokens-per-minute', 'none', '--weight', '1'];
    cleared.push('--stream-policy', 'full');
    const {
      version,
      updated_at: updatedAt,
      ...after
    } = await real.runJson(['credentials', 'update', 'own', ...cleared]);
    const { version: versionBefore, updated_at: updatedBefore, ...rest } = before;
    assert.deepEqual(after, rest);
    assert.ok(Number(version) > Number(versionBefore) && String(updatedAt) > String(updatedBefore));
  });

  test('takes the secret again where that is sent elsewhere, from a file or standard input', async () => {
    answer = lists;
    const elsewhere = ['--base-url', `${vendor.url}/v2`];
    const silent = await real.run(['credentials', 'update', 'own', ...elsewhere]);
    assert.deepEqual([silent.code, /The secret is empty/.test(silent.stderr)], [2, true]);
    const moved = await real.runJson(['credentials', 'update', 'own', ...elsewhere], 'sk-moved');
    assert.equal(moved['base_url'], `${vendor.url}/v2`);
    await real.runJson(['credentials', 'test', 'own']);
    assert.equal(heard.at(-1), 'Bearer sk-moved');
    await real.runJson(['credentials', 'update', 'own', '--secret-file', secretFile]);
    await real.runJson(['credentials', 'test', 'own']);
    assert.equal(heard.at(-1), 'Bearer sk-from-a-file');
  });

  test('without anything to change it says so and sends nothing', async () => {
    const { code, stderr } = await real.run(['credentials', 'update', 'own']);
    assert.equal(code, 2);
    assert.match(stderr, /keyfold credentials update --help/);
  });

  test('what the API refuses is told in its words', async () => {
    const { code, stderr } = await real.run(['credentials', 'update', 'own', '--models', 'none']);
    assert.equal(code, 1);
    assert.match(stderr, /must name the models it offers/);
  });
});

describe('keyfold credentials rotate', () => {
  test('replaces the secret, and says until when the old one is still tried', async () => {
    answer = lists;
    const { code, stdout, stderr } = await real.run(['credentials', 'rotate', 'own'], 'sk-rotated\n');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /has version \d+; the secret before it is tried until \d{4}-\S+ where/);
    assert.ok(typeof (await show())['previous_expires_at'] === 'string');
    await real.runJson(['credentials', 'test', 'own']);
    assert.equal(heard.at(-1), 'Bearer sk-rotated');
  });

  test('with no grace the old one is forgotten', async () => {
    const flags = ['--grace-s', '0', '--secret-file', secretFile];
    const { stdout } = await real.run(['credentials', 'rotate', 'own', ...flags]);
    assert.match(stdout, /the secret before it is forgotten\.$/m);
    assert.equal((await show())['previous_expires_at'], null);
  });

  test('a secret among the arguments is neither used nor repeated', async () => {
    const { version } = await show();
    for (const command of ['rotate', 'update']) {
      const { code, stdout, stderr } = await real.run(['credentials', command, 'own', 'sk-argument'], 'sk-x');
      assert.equal(code, 2);
      assert.match(stderr, /takes one argument/);
      assert.doesNotMatch(stdout + stderr, /sk-argument/);
    }
    assert.equal((await show())['version'], version);
  });
});

describe('keyfold credentials list', () => {
  test('shows share and state beside the name', async () => {
    const { stdout } = await real.run(['credentials', 'list']);
    assert.match(stdout, /^ID +PROVIDER +NAME +STATE +WEIGHT +BASE URL +MODELS +CREATED$/m);
    assert.match(stdout, /^crd_\w+ +openai-compatible +own +healthy +1 +http/m);
  });
});

test('a server that does not say what it has is refused with what to do', async () => {
  answer = refuses;
  const create = ['credentials', 'create', '--provider', 'openai-compatible', '--name', 'mute'];
  const { code, stderr } = await real.run([...create, ...at(vendor.url)], 'sk-own');
  assert.equal(code, 1);
  assert.match(stderr, /it refuses the secret \(credential, status 401\)\. Name the models in 'models'/);
});

test('a credential that is deleted by its name is gone', async () => {
  assert.equal((await real.run(['credentials', 'delete', 'own', '--yes'])).stdout, 'Deleted own.\n');
  assert.equal((await real.run(['credentials', 'show', 'own'])).code, 4);
});
