import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type GitRepository, createFolder, createRepository } from '../../test/git-repository.ts';
import { createDraw, drawSecrets } from '../../test/planted-secrets.ts';
import { run } from '../../test/run.ts';

const keys = drawSecrets(createDraw(5), 12).map(({ secret }) => secret);
const [a = '', b = '', c = '', d = '', e = ''] = keys;

let repository: GitRepository;
beforeEach(() => {
  repository = createRepository();
});
afterEach(() => repository[Symbol.dispose]());

interface Report {
  readonly files: number;
  readonly bytes: number;
  readonly unreadable_files: number;
  readonly notes: readonly string[];
  readonly findings: readonly {
    readonly path: string;
    readonly line: number;
    readonly secret: string;
    readonly commit?: string;
    readonly committed_at?: string;
  }[];
}

async function report(args: readonly string[], cwd = repository.path): Promise<Report> {
  const { stdout, stderr } = await run(['scan', ...args, '--json'], { cwd, env: repository.env });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as Report;
}

/** `path:line`, in order. */
async function places(args: readonly string[], cwd?: string): Promise<string[]> {
  return (await report(args, cwd)).findings.map(({ path, line }) => `${path}:${line}`);
}

describe('--history', () => {
  const history = (...args: string[]) => places(['--history', ...args]);

  test('a secret is told once for each path, with the commit that brought it in', async () => {
    repository.write('a.txt', `one\n${a}\n`);
    repository.commitAll('first');
    const first = repository.git('rev-parse', 'HEAD').trim();
    repository.write('a.txt', `one\ntwo\n${a}\n`);
    repository.commitAll('move it');
    repository.git('mv', 'a.txt', 'b.txt');
    repository.commitAll('rename');
    repository.write('c.txt', `${a} as well\n`);
    repository.commitAll('copy');
    repository.git('rm', '--quiet', 'b.txt', 'c.txt');
    repository.git('commit', '--quiet', '--message', 'gone');
    const { findings } = await report(['--history']);
    assert.deepEqual(
      findings.map(({ path, line }) => [path, line]),
      [
        ['a.txt', 2],
        ['c.txt', 1],
      ],
    );
    assert.equal(findings[0]?.commit, first);
    assert.match(findings[0]?.committed_at ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test('branches, tags, the stash, merges and messages are all of it', async () => {
    repository.write('base', 'x\n');
    repository.commitAll('base');
    repository.git('switch', '--quiet', '--create', 'side');
    repository.write('side.txt', a);
    repository.commitAll('side');
    repository.git('switch', '--quiet', 'main');
    repository.write('main.txt', 'x');
    repository.commitAll('main');
    repository.git('merge', '--quiet', '--no-ff', '--no-commit', 'side');
    repository.write('merge.txt', b);
    repository.git('add', '--all');
    repository.git('commit', '--quiet', '--message', 'merge, with more');
    repository.git('switch', '--quiet', '--detach');
    repository.write('tagged.txt', c);
    repository.commitAll('only a tag leads here');
    repository.git('tag', 'v1');
    repository.git('switch', '--quiet', 'main');
    repository.write('main.txt', d);
    repository.git('stash', '--quiet');
    repository.git('commit', '--quiet', '--allow-empty', '--message', `revoke\n\nIt was ${e}`);
    assert.deepEqual((await history()).sort(), [
      '(commit message):3',
      'main.txt:1',
      'merge.txt:1',
      'side.txt:1',
      'tagged.txt:1',
    ]);
  });

  test('names of every kind, binary files, submodules', async () => {
    const names = ['with space', 'ümlaut', 'tab\there', '"quoted"', ':100644 x', 'line\nbreak'];
    for (const [index, name] of names.entries()) repository.write(name, `${index} ${a}`);
    repository.write('image.bin', `\0${b}`);
    repository.git('init', '--quiet', 'module');
    repository.git('-C', 'module', 'commit', '--quiet', '--allow-empty', '--message', 'x');
    repository.commitAll('all');
    assert.match(repository.git('ls-files', '--stage'), /^160000 /m);
    const { findings, unreadable_files } = await report(['--history']);
    assert.deepEqual(findings.map(({ path }) => path).sort(), names.sort());
    assert.equal(unreadable_files, 0);
    assert.deepEqual(await history('--binary', '--exclude', '[!i]*'), ['image.bin:1']);
  });

  test('a file that is longer than what is read at a time, and many that are short', async () => {
    const long = `${'word '.repeat(60_000)}\n${a}\n${'word '.repeat(60_000)}${b}`;
    repository.write('long.txt', long);
    for (let index = 0; index < 300; index++) repository.write(`short/${index}`, `${index}\n`);
    repository.write('z.txt', c);
    repository.write('empty', '');
    repository.commitAll('all');
    assert.deepEqual(await history(), ['long.txt:2', 'long.txt:3', 'z.txt:1']);
    const { files, bytes } = await report(['--history']);
    assert.deepEqual([files, bytes], [303, long.length + 10 * 2 + 90 * 3 + 200 * 4 + c.length]);
  });

  test('what an excluded path has is found under another path', async () => {
    repository.write('fixtures/a', a);
    repository.commitAll('first');
    repository.write('src/a', a);
    repository.commitAll('second');
    assert.deepEqual(await history('--exclude', 'fixtures'), ['src/a:1']);
  });

  test('the list of what is allowed is that of the top of the work tree', async () => {
    repository.write('sub/a.txt', `${a}\n${b} keyfold:allow\n`);
    repository.commitAll('leak');
    const { stdout } = await run(['scan', '--history', '--json'], {
      cwd: repository.path,
      env: repository.env,
    });
    const [{ fingerprint = '' } = {}] = (JSON.parse(stdout) as { findings: { fingerprint?: string }[] })
      .findings;
    repository.write('.keyfold-scan-allow', fingerprint);
    assert.deepEqual(await history(), []);
    assert.deepEqual(await places(['--history'], join(repository.path, 'sub')), []);
    assert.deepEqual(await places(['--staged'], join(repository.path, 'sub')), []);
  });

  test('an empty repository, a bare one, one with longer ids, one beside', async () => {
    assert.deepEqual(await history(), []);
    repository.write('a.txt', a);
    repository.commitAll('leak');
    repository.git('clone', '--quiet', '--bare', '.', 'bare.git');
    assert.deepEqual(await history('bare.git'), ['a.txt:1']);
    execFileSync('git', ['init', '--quiet', '--object-format=sha256', 'long'], { cwd: repository.path });
    repository.write('long/a.txt', b);
    repository.git('-C', 'long', 'add', '--all');
    repository.git('-C', 'long', 'commit', '--quiet', '--message', 'leak');
    const { findings } = await report(['--history', 'long']);
    assert.deepEqual([findings.length, findings[0]?.commit?.length], [1, 64]);
  });

  test('a shallow clone says that it is one', async () => {
    repository.write('a.txt', a);
    repository.commitAll('leak');
    repository.git('rm', '--quiet', 'a.txt');
    repository.git('commit', '--quiet', '--message', 'gone');
    repository.git('clone', '--quiet', '--depth', '1', `file://${repository.path}`, 'shallow');
    const { findings, notes } = await report(['--history', 'shallow']);
    assert.deepEqual(findings, []);
    assert.match(notes[0] ?? '', /shallow.*git fetch --unshallow/);
  });

  test('a blob that is missing is unreadable; what else there is, is scanned', async () => {
    repository.write('a.txt', a);
    repository.write('b.txt', b);
    repository.commitAll('leak');
    const blob = repository.git('rev-parse', 'HEAD:a.txt').trim();
    rmSync(join(repository.path, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    const { findings, unreadable_files } = await report(['--history']);
    assert.deepEqual([findings.map(({ path }) => path), unreadable_files], [['b.txt'], 1]);
  });

  test('a history that git cannot read to its end is a failure', async () => {
    repository.write('a.txt', a);
    repository.commitAll('leak');
    const commit = repository.git('rev-parse', 'HEAD').trim();
    repository.write('b.txt', b);
    repository.commitAll('more');
    rmSync(join(repository.path, '.git/objects', commit.slice(0, 2), commit.slice(2)));
    const { code, stderr } = await run(['scan', '--history'], { cwd: repository.path, env: repository.env });
    assert.equal(code, 1);
    assert.match(stderr, /^error: git log failed: /);
  });
});

describe('--staged', () => {
  const staged = (...args: string[]) => places(['--staged', ...args]);

  test('what the next commit would add or change, and nothing else', async () => {
    repository.write('old.txt', a);
    repository.write('deleted.txt', b);
    repository.commitAll('leaked long ago');
    repository.write('changed.txt', c);
    repository.write('added here.txt', `\n${d}`);
    repository.write('unstaged.txt', e);
    repository.git('add', 'changed.txt', 'added here.txt');
    repository.git('rm', '--quiet', 'deleted.txt');
    repository.git('mv', 'old.txt', 'new.txt');
    repository.write('changed.txt', 'clean in the work tree');
    assert.deepEqual(await staged(), ['added here.txt:2', 'changed.txt:1', 'new.txt:1']);
    assert.deepEqual(await staged('--exclude', '*.txt'), []);
  });

  test('before the first commit, from a folder below, and of a repository that is named', async () => {
    repository.write('sub/a.txt', a);
    repository.write('b.txt', b);
    repository.git('add', '--all');
    assert.deepEqual(await staged(), ['b.txt:1', 'sub/a.txt:1']);
    assert.deepEqual(await places(['--staged'], join(repository.path, 'sub')), ['../b.txt:1', 'a.txt:1']);
    assert.deepEqual(await staged('sub'), ['b.txt:1', 'sub/a.txt:1']);
  });
});

describe('bad input', () => {
  const fails = async (args: string[], options: { cwd: string; env?: Record<string, string> }) => {
    const { code, stdout, stderr } = await run(['scan', ...args], options);
    assert.deepEqual([code, stdout], [2, '']);
    return stderr;
  };

  test('a folder that is no repository, or no folder', async () => {
    const cwd = createFolder('keyfold-no-git-');
    for (const option of ['--history', '--staged', '--install-hook']) {
      assert.match(await fails([option], { cwd }), /\. is no git repository\. .*not a git repository/);
      assert.match(await fails([option, 'gone'], { cwd }), /gone is not a folder/);
    }
    rmSync(cwd, { recursive: true });
  });

  test('git is missing', async () => {
    const env = { PATH: join(repository.path, 'nothing') };
    assert.match(
      await fails(['--history'], { cwd: repository.path, env }),
      /git was not found\.\n.*Install git/,
    );
  });

  test('nothing can be staged where there is no work tree', async () => {
    repository.git('init', '--quiet', '--bare', 'bare.git');
    mkdirSync(join(repository.path, 'sub'));
    assert.match(await fails(['--staged', 'bare.git'], { cwd: repository.path }), /no work tree/);
  });
});
