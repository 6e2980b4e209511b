import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import type { Command } from 'commander';
import { run, spawnCli } from '../test/run.ts';
import { type Reply, type StandInApi, startStandInApi } from '../test/stand-in-api.ts';
import { createProgram } from './run-cli.ts';

const KEYFOLD_ADMIN_KEY = 'kf_admin_x';
let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(() => api.close());

const problem = (status: number, code: string, detail: string): Reply => ({
  status,
  body: { type: 'about:blank', title: 'No.', status, detail, code, request_id: 'req_1' },
});

describe('exit codes', () => {
  const spawnList = (env: Record<string, string>, ...flags: string[]) =>
    spawnCli(['keys', 'list', ...flags], { env: { KEYFOLD_ADMIN_KEY, KEYFOLD_URL: api.url, ...env } });

  test('0 when it was done', async () => {
    api.reply({ body: { object: 'list', data: [], has_more: false } });
    assert.equal((await spawnList({})).code, 0);
    const { code, stdout } = await spawnCli(['--version']);
    assert.deepEqual([code, stdout], [0, '0.1.0\n']);
    assert.equal((await spawnCli(['keys', 'create', '--help'])).code, 0);
  });

  test('1 when the server could not do it, with the request to look for', async () => {
    api.reply(problem(500, 'internal', 'It broke.'));
    const { code, stdout, stderr } = await spawnList({});
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^error: No\. It broke\.$/m);
    assert.match(stderr, /req_1/);
  });

  test('2 when the command line or the environment is wrong', async () => {
    assert.equal((await spawnCli([])).code, 2);
    assert.equal((await spawnCli(['nothing'])).code, 2);
    assert.equal((await spawnList({}, '--nothing')).code, 2);
    assert.equal((await spawnList({ KEYFOLD_ADMIN_KEY: '' })).code, 2);
    assert.equal((await spawnCli(['config'], { env: { KEYFOLD_LISTN: '1' } })).code, 2);
  });

  test('3 when the server refuses: 401 and 403', async () => {
    api.reply(problem(401, 'invalid_api_key', 'The key is not valid.'));
    const refused = await spawnList({});
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /KEYFOLD_ADMIN_KEY/);
    api.reply(problem(403, 'permission_denied', 'It may not.'));
    assert.equal((await spawnList({})).code, 3);
  });

  test('4 when there is no such thing, also where what answers is not Keyfold', async () => {
    api.reply(problem(404, 'not_found', 'There is no such key.'));
    assert.equal((await spawnList({})).code, 4);
    api.reply({ status: 404, body: '<html>' });
    const { code, stderr } = await spawnList({});
    assert.equal(code, 4);
    assert.match(stderr, /Check KEYFOLD_URL/);
  });

  test('5 when nothing listens', async () => {
    const { code, stderr } = await spawnList({ KEYFOLD_URL: await findClosedPort() });
    assert.equal(code, 5);
    assert.match(stderr, /ECONNREFUSED/);
    assert.match(stderr, /keyfold serve/);
  });

  test('5 when the answer does not come in time, or is not one of Keyfold', async () => {
    const ask = (...flags: string[]) =>
      run(['keys', 'list', ...flags], { env: { KEYFOLD_ADMIN_KEY, KEYFOLD_URL: api.url } });
    api.reply(undefined);
    const late = await ask('--timeout-s', '1');
    assert.equal(late.code, 5);
    assert.match(late.stderr, /within 1 seconds/);
    api.reply({ body: '<html>' });
    assert.equal((await ask()).code, 5);
  });
});

describe('errors', () => {
  const ask = (...flags: string[]) =>
    run(['keys', 'list', ...flags], { env: { KEYFOLD_ADMIN_KEY, KEYFOLD_URL: api.url } });

  test('with --json they are JSON on standard error', async () => {
    api.reply(problem(403, 'permission_denied', 'It may not.'));
    const { stdout, stderr } = await ask('--json');
    assert.equal(stdout, '');
    const { error } = JSON.parse(stderr) as { error: Record<string, unknown> };
    assert.equal(error['code'], 'permission_denied');
    assert.equal(error['status'], 403);
    assert.equal(error['request_id'], 'req_1');
    assert.equal(error['exit_code'], 3);
  });

  test('the admin key does not follow a redirection', async () => {
    const elsewhere = await startStandInApi();
    api.reply({ status: 307, headers: { location: `${elsewhere.url}/v1/keys` } });
    assert.equal((await ask()).code, 5);
    assert.deepEqual(elsewhere.asked, []);
    await elsewhere.close();
  });

  test('what a server says cannot move the cursor', async () => {
    api.reply(problem(400, 'invalid_request', 'a\u001b[2Jb'));
    assert.match((await ask()).stderr, /a\\u\{1b\}\[2Jb/);
  });

  test('a rate limit says when to try again', async () => {
    api.reply({ ...problem(429, 'rate_limit_exceeded', 'Too many.'), headers: { 'retry-after': '7' } });
    const { code, stderr } = await ask();
    assert.equal(code, 1);
    assert.match(stderr, /Try again in 7 s/);
  });

  test('a mistyped command or option names the nearest one and where to read on', async () => {
    assert.match((await run(['keys', 'lsit'])).stderr, /Did you mean list\?/);
    assert.match((await ask('--jsno')).stderr, /--json[^]*--help/);
  });
});

describe('help', () => {
  const commands = listCommands();

  test('every command says what it does and has an example that begins as the command does', async () => {
    for (const path of commands) {
      const { code, stdout } = await run([...path.split(' ').slice(1), '--help']);
      assert.equal(code, 0);
      assert.match(stdout, /\n\n\S.*\.\n/s, path);
      assert.match(stdout, new RegExp(`Examples?:\n(.*\n)* {2}\\$ (KEYFOLD_\\S+ )?${path}\\b`), path);
    }
  });

  test('docs/cli.md has a section for every command, with every option that is its own', () => {
    const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
    const sections = new Map(
      page.split(/^### /m).map((section) => [/^`([^`]*)`/.exec(section)?.[1] ?? '', section]),
    );
    assert.deepEqual([...sections.keys()].filter((name) => name !== '').sort(), commands.toSorted());
    for (const [path, options] of listOptions()) {
      for (const option of options)
        assert.ok(sections.get(path)?.includes(`\`${option}`), `${path} ${option}`);
    }
  });
});

/** Options that the page explains once for all commands that have them. */
const SHARED = ['--json', '--url', '--timeout-s', '--limit', '--after', '--all'];

function listCommands(): string[] {
  return walk(program(), '').map(([path]) => path);
}

function listOptions(): [string, string[]][] {
  return walk(program(), '').map(([path, command]) => {
    const own = command.options.filter(({ helpGroupHeading }) => helpGroupHeading === undefined);
    return [path, own.map(({ long }) => long ?? '').filter((long) => !SHARED.includes(long))];
  });
}

function program(): Command {
  const stream = new PassThrough();
  return createProgram({
    env: {},
    cwd: '/',
    stdin: stream,
    stdout: stream,
    stderr: stream,
    loadServer: () => Promise.reject(new Error('not asked for')),
    onSignal: () => undefined,
    exit: () => undefined,
  });
}

/** The commands that do something, by what one types. */
function walk(command: Command, above: string): [string, Command][] {
  const path = `${above} ${command.name()}`.trim();
  if (command.commands.length === 0) return [[path, command]];
  return command.commands.flatMap((child) => walk(child, path));
}

async function findClosedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return `http://127.0.0.1:${port}`;
}
