import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { createFolder, writeInto } from '../../test/git-repository.ts';
import { createDraw, drawSecrets } from '../../test/planted-secrets.ts';
import { run, spawnCli } from '../../test/run.ts';
import { runCli } from '../run-cli.ts';
import { RULES } from '../scan/rules.ts';
import { scanFile } from '../scan/scan-files.ts';
import { Tally } from '../scan/tally.ts';

const [key = '', other = '', third = ''] = drawSecrets(createDraw(3), 3).map(({ secret }) => secret);
const shown = `${key.slice(0, 12)}…${key.slice(-4)}`;

let cwd: string;
beforeEach(() => {
  cwd = createFolder('keyfold-scan-');
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const write = (name: string, content: string | Buffer): void => writeInto(cwd, name, content);
const scan = (...args: string[]) => run(['scan', ...args], { cwd });

interface Report {
  readonly found: number;
  readonly allowed: number;
  readonly files: number;
  readonly bytes: number;
  readonly binary_files: number;
  readonly unreadable_files: number;
  readonly findings: readonly { path: string; line: number; column: number; fingerprint: string }[];
  readonly unreadable: readonly { path: string; reason: string }[];
}

async function report(...args: string[]): Promise<Report> {
  return JSON.parse((await scan(...args, '--json')).stdout) as Report;
}

async function findPaths(...args: string[]): Promise<string[]> {
  return (await report(...args)).findings.map(({ path }) => path);
}

describe('exit codes', () => {
  test('0 when there is nothing, 10 when there is a secret, as a process too', async () => {
    write('a.txt', 'nothing');
    assert.equal((await spawnCli(['scan'], { cwd })).code, 0);
    write('b.txt', `key: ${key}`);
    const { code, stdout, stderr } = await spawnCli(['scan'], { cwd });
    assert.equal(code, 10);
    assert.match(stdout, new RegExp(`^SECRET.*\n${shown}  Keyfold key  b\\.txt:1:6  [0-9a-f]{16}\n`));
    assert.match(stdout, /Scanned 2 files, \d+ bytes: 1 secret\.\n$/);
    assert.match(stderr, /^error: Found 1 secret\.\n.*keyfold:allow/);
    assert.equal((await spawnCli(['scan', '--json'], { cwd })).code, 10);
  });

  test('2 when a path does not exist, before anything is scanned', async () => {
    write('a.txt', key);
    const { code, stdout, stderr } = await scan('a.txt', 'gone.txt');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /gone\.txt does not exist/);
  });

  test('2 when options do not go together', async () => {
    for (const args of [
      ['--history', '--staged'],
      ['--history', '.', '.'],
      ['--staged', '-'],
      ['--install-hook', '--history'],
      ['--install-hook', '--sarif'],
      ['--json', '--sarif'],
      ['--output', 'x.json'],
      ['--nothing'],
    ]) {
      const { code, stdout } = await scan(...args);
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    }
  });

  test('1 when something could not be read and nothing was found; the rest is scanned', async () => {
    const unreadable = makeUnreadable();
    write('a.txt', 'nothing');
    const clean = await scan(unreadable, 'a.txt');
    assert.equal(clean.code, 1);
    assert.match(clean.stdout, /^unreadable: .* \((EIO|EACCES)\)\n/);
    assert.match(clean.stderr, /Nothing was found, but 1 file could not be read\./);
    write('b.txt', key);
    const leaking = await scan(unreadable, 'a.txt', 'b.txt');
    assert.equal(leaking.code, 10);
    assert.match(leaking.stderr, /Found 1 secret\. 1 file could not be read\./);
    const { unreadable_files, found, files } = await report(unreadable, 'a.txt', 'b.txt');
    assert.deepEqual({ unreadable_files, found, files }, { unreadable_files: 1, found: 1, files: 2 });
  });
});

describe('which files', () => {
  test('all below a folder, in order, but what git keeps and what others published, unless it is named', async () => {
    for (const name of [
      'b/x',
      'a',
      '.env',
      'b/.hidden/y',
      '.git/config',
      'node_modules/m/i.js',
      'c/node_modules/z',
    ])
      write(name, key);
    assert.deepEqual(await findPaths(), ['.env', 'a', 'b/.hidden/y', 'b/x']);
    assert.deepEqual(await findPaths('.git', 'node_modules'), ['.git/config', 'node_modules/m/i.js']);
    assert.deepEqual(await findPaths('b', 'b/x', '.'), ['b/.hidden/y', 'b/x', '.env', 'a']);
  });

  test('symbolic links are not followed, so that there are no loops, unless one is named', async () => {
    write('a/real', key);
    symlinkSync('..', join(cwd, 'a/loop'));
    symlinkSync('real', join(cwd, 'a/link'));
    symlinkSync('gone', join(cwd, 'a/broken'));
    assert.deepEqual(await findPaths(), ['a/real']);
    assert.deepEqual(await findPaths('a/link'), ['a/link']);
    assert.deepEqual(await findPaths('a/loop'), ['a/loop/a/real']);
  });

  test('what is no regular file is not opened', { skip: process.platform === 'win32' }, async () => {
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    write('a', key);
    assert.deepEqual(await findPaths(), ['a']);
  });

  test('a file that has vanished since it was listed is no failure', () => {
    const tally = new Tally(new Set());
    const options = { tally, includeBinary: false, isExcluded: () => false, onRead: () => undefined };
    scanFile(join(cwd, 'gone'), 'gone', options);
    scanFile(join(cwd, 'not-\u{fffd}-decoded'), 'name', options);
    assert.deepEqual([tally.files, tally.unreadable], [0, [{ path: 'name', reason: 'ENOENT' }]]);
  });

  test('--exclude leaves out names at any depth, or paths', async () => {
    for (const name of ['a.lock', 'x/b.lock', 'x/keep', 'x/data/c', 'y/data/d']) write(name, key);
    assert.deepEqual(await findPaths('--exclude', '*.lock'), ['x/data/c', 'x/keep', 'y/data/d']);
    assert.deepEqual(await findPaths('--exclude', 'data', '--exclude', '*.lock'), ['x/keep']);
    assert.deepEqual(await findPaths('--exclude', 'x/data'), ['a.lock', 'x/b.lock', 'x/keep', 'y/data/d']);
    assert.deepEqual(await findPaths('--exclude', './x/**', '--exclude', 'y/'), ['a.lock']);
  });

  test('binary files are left out and counted; --binary looks into them; UTF-16 with its mark is text', async () => {
    write('image.bin', Buffer.concat([Buffer.from([1, 0, 2]), Buffer.from(` ${key}`)]));
    write('late.txt', Buffer.concat([Buffer.alloc(8_192, 'a'), Buffer.from(`\0 ${other}`)]));
    write('wide.txt', Buffer.from(`\u{feff}ключ 🔑 "${third}"\r\n`, 'utf16le'));
    const { findings, binary_files } = await report();
    assert.equal(binary_files, 1);
    assert.deepEqual(
      findings.map(({ path, line, column }) => [path, line, column]),
      [
        ['late.txt', 1, 8_195],
        ['wide.txt', 1, 10],
      ],
    );
    assert.deepEqual(await findPaths('--binary', 'image.bin'), ['image.bin']);
    assert.match((await scan('image.bin')).stdout, /Scanned 0 files.*no secrets, 1 binary file left out\./);
  });

  test('- is standard input, alone or beside files', async () => {
    write('a', `\n${key}`);
    const { stdout, code } = await run(['scan', 'a', '-', '--json'], { cwd, stdin: `x\n ${other}\n` });
    assert.equal(code, 10);
    assert.deepEqual(
      (JSON.parse(stdout) as Report).findings.map(({ path, line, column }) => [path, line, column]),
      [
        ['stdin', 2, 2],
        ['a', 2, 1],
      ],
    );
    assert.equal((await run(['scan', '-'], { cwd, stdin: '' })).code, 0);
  });

  test('a secret in the name of a file is not printed, nor one that was taken for a name', async () => {
    write(`${key}.txt`, `${other}\n`);
    const { stdout } = await scan();
    assert.ok(!stdout.includes(key) && stdout.includes(`${shown}.txt:1:1`));
    for (const args of [[key], ['--history', key]]) {
      const { stderr } = await scan(...args);
      assert.ok(!stderr.includes(key) && stderr.includes(shown));
    }
  });
});

describe('what is meant to be there', () => {
  test('a mark on the line, or the fingerprint in the list, allows it', async () => {
    write('a.ts', `const a = '${key}'; // keyfold:allow: an example\nconst b = '${other}';\n`);
    const first = await report('a.ts');
    assert.deepEqual([first.found, first.allowed, first.findings[0]?.line], [1, 1, 2]);
    write('.keyfold-scan-allow', `# Known.\n\n${first.findings[0]?.fingerprint}  # in a.ts\r\n`);
    const { code, stdout } = await scan();
    assert.equal(code, 0);
    assert.match(stdout, /no secrets, 2 allowed\./);
  });

  test('a list that cannot be understood is not passed over', async () => {
    write('.keyfold-scan-allow', 'a15f3e2ead20cdc1\nall of it\n');
    const { code, stderr } = await scan();
    assert.equal(code, 2);
    assert.match(stderr, /\.keyfold-scan-allow, line 2 is not a fingerprint/);
  });
});

describe('output', () => {
  test('SARIF has what code hosts need, and no secret', async () => {
    write('src/ä b.ts', `"é": '${key}'\n`);
    const { code, stdout } = await scan('--sarif');
    assert.equal(code, 10);
    assert.ok(!stdout.includes(key));
    const log = JSON.parse(stdout) as SarifLog;
    assert.equal(log.version, '2.1.0');
    assert.match(log.$schema, /^https:\/\/.*sarif-2\.1\.0/);
    const [{ tool, results, columnKind, invocations } = assert.fail()] = log.runs;
    assert.equal(tool.driver.name, 'keyfold scan');
    assert.deepEqual(
      tool.driver.rules.map(({ id }) => id),
      RULES.map(({ id }) => id),
    );
    for (const rule of tool.driver.rules) {
      assert.match(rule.name, /^[A-Z][A-Za-z0-9]+$/);
      assert.ok(rule.shortDescription.text && rule.fullDescription.text && rule.help.text);
    }
    assert.equal(columnKind, 'utf16CodeUnits');
    assert.equal(invocations[0]?.executionSuccessful, true);
    const fingerprint = (await report()).findings[0]?.fingerprint;
    assert.deepEqual(results, [
      {
        ruleId: 'keyfold-live-key',
        ruleIndex: 0,
        level: 'error',
        message: { text: `Keyfold key ${shown}.` },
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: 'src/%C3%A4%20b.ts' },
              region: { startLine: 1, startColumn: 7, endColumn: 7 + key.length },
            },
          },
        ],
        partialFingerprints: { 'keyfoldSecret/v1': fingerprint },
      },
    ]);
  });

  test('SARIF without findings has no results, and says what was unreadable', async () => {
    const { stdout } = await scan('--sarif', makeUnreadable());
    const [{ results, invocations } = assert.fail()] = (JSON.parse(stdout) as SarifLog).runs;
    assert.deepEqual(results, []);
    assert.equal(invocations[0]?.executionSuccessful, false);
    assert.equal(invocations[0].toolExecutionNotifications.length, 1);
  });

  test('--output takes the place of standard output', async () => {
    write('a', key);
    for (const format of ['--sarif', '--json']) {
      const { code, stdout } = await scan('a', format, '--output', 'out.json');
      assert.deepEqual([code, stdout], [10, '']);
      assert.equal(readFileSync(join(cwd, 'out.json'), 'utf8'), (await scan('a', format)).stdout);
    }
    mkdirSync(join(cwd, 'folder'));
    const { code, stderr } = await scan('a', '--json', '--output', 'folder');
    assert.equal(code, 1);
    assert.match(stderr, /folder cannot be written \(EISDIR\)/);
  });

  test('a terminal gets colours and nothing that could move its cursor', async () => {
    write('a\u{1b}[2Jb', key);
    const { stdout } = await run(['scan'], { cwd, isTerminal: true });
    assert.notEqual(stripVTControlCharacters(stdout), stdout);
    assert.ok(!stdout.includes('\u{1b}[2J'));
  });

  test('a bar is drawn on a terminal that has to wait, and nowhere else', async (context) => {
    let now = 0;
    context.mock.method(performance, 'now', () => (now += 1_000));
    write('a.txt', 'x'.repeat(500_000));
    const draw = async (isTTY: boolean): Promise<string> => {
      const [stdout, stderr] = [new PassThrough(), Object.assign(new PassThrough(), { isTTY })];
      const drawn = text(stderr);
      const code = await runCli(['scan'], {
        env: {},
        cwd,
        stdin: Readable.from([]),
        stdout: stdout.resume(),
        stderr,
        loadServer: () => Promise.reject(new Error('not asked for')),
        onSignal: () => undefined,
        exit: () => undefined,
      });
      assert.equal(code, 0);
      stderr.end();
      return drawn;
    };
    assert.equal(await draw(false), '');
    const bar = await draw(true);
    assert.match(bar, /█+░+ +\d+ % {2}0 files, \d+ kB/);
    assert.match(bar, / 100 % /);
    assert.ok(bar.endsWith('\r\u{1b}[K'));
  });
});

interface SarifLog {
  readonly $schema: string;
  readonly version: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: string;
        readonly rules: readonly {
          readonly id: string;
          readonly name: string;
          readonly shortDescription: { readonly text: string };
          readonly fullDescription: { readonly text: string };
          readonly help: { readonly text: string };
        }[];
      };
    };
    readonly columnKind: string;
    readonly invocations: readonly {
      readonly executionSuccessful: boolean;
      readonly toolExecutionNotifications: readonly unknown[];
    }[];
    readonly results: readonly unknown[];
  }[];
}

/** For root every file of the disk is readable; memory that is not mapped is not. */
function makeUnreadable(): string {
  if (process.getuid?.() === 0) return '/proc/self/mem';
  write('closed.txt', 'x');
  chmodSync(join(cwd, 'closed.txt'), 0);
  return 'closed.txt';
}
