import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type GitRepository, createRepository } from '../../test/git-repository.ts';
import { createDraw, drawSecrets } from '../../test/planted-secrets.ts';
import { run } from '../../test/run.ts';

const [key = ''] = drawSecrets(createDraw(9), 1).map(({ secret }) => secret);

let repository: GitRepository;
beforeEach(() => {
  repository = createRepository();
});
afterEach(() => repository[Symbol.dispose]());

const install = (...args: string[]) =>
  run(['scan', '--install-hook', ...args], { cwd: repository.path, env: repository.env });

function commit(args: readonly string[] = [], path?: string): { status: number | null; output: string } {
  const env = path === undefined ? repository.env : { ...repository.env, PATH: path };
  const options = { cwd: repository.path, env, encoding: 'utf8' } as const;
  const done = spawnSync('git', ['commit', '--message', 'x', ...args], options);
  return { status: done.status, output: done.stdout + done.stderr };
}

const hookPath = (): string => join(repository.path, '.git/hooks/pre-commit');

describe('--install-hook', () => {
  test('a commit with a secret does not pass, a clean one does', async () => {
    const { code, stdout } = await install();
    assert.deepEqual([code, stdout], [0, `Every commit is scanned from now on, by ${hookPath()}\n`]);
    repository.write('a.txt', `key: ${key}\n`);
    repository.git('add', '--all');
    const leaking = commit();
    assert.equal(leaking.status, 1);
    assert.match(leaking.output, /Keyfold key +a\.txt:1:6/);
    assert.match(leaking.output, /Found 1 secret/);
    assert.ok(!leaking.output.includes(key));
    assert.throws(() => repository.git('rev-parse', '--verify', 'HEAD'));

    repository.write('a.txt', 'key: from the environment\n');
    repository.git('add', '--all');
    assert.equal(commit().status, 0);
    // The index is not the one on disk then.
    repository.write('a.txt', key);
    assert.equal(commit(['--all']).status, 1);
    assert.equal(commit(['a.txt']).status, 1);
    repository.write('a.txt', `${key} # keyfold:allow`);
    assert.equal(commit(['--all']).status, 0);
  });

  test('it works from a folder below, with names that a shell would read otherwise', async () => {
    assert.equal((await install()).code, 0);
    repository.write("it's $HOME/`x`/a b.txt", key);
    repository.git('add', '--all');
    const { status, output } = commit();
    assert.equal(status, 1);
    assert.match(output, /it's \$HOME\/`x`\/a b\.txt:1:1/);
  });

  test('writing it again changes nothing; an older one of ours is brought up to date', async () => {
    await install();
    const script = readFileSync(hookPath(), 'utf8');
    assert.match((await install()).stdout, /^Nothing to do/);
    writeFileSync(hookPath(), script.replace(/^program=.*$/m, "program='/gone/main.ts'"));
    assert.match((await install('--json')).stdout, /"state": "updated"/);
    assert.equal(readFileSync(hookPath(), 'utf8'), script);
    assert.equal(statSync(hookPath()).mode & 0o111, 0o111);
  });

  test("another's hook stays as it is, and the line to add to it blocks as well", async () => {
    const theirs = '#!/bin/sh\necho theirs\n';
    mkdirSync(join(repository.path, '.git/hooks'), { recursive: true });
    writeFileSync(hookPath(), theirs);
    chmodSync(hookPath(), 0o755);
    const { code, stderr } = await install();
    assert.equal(code, 1);
    assert.equal(readFileSync(hookPath(), 'utf8'), theirs);
    const line = /Add this line to it:\n(.*)\n/.exec(stderr)?.[1] ?? '';
    writeFileSync(hookPath(), `${theirs}${line}\necho after\n`);
    repository.write('a.txt', key);
    repository.git('add', '--all');
    const { status, output } = commit();
    assert.equal(status, 1);
    assert.match(output, /theirs[^]*Found 1 secret/);
    assert.doesNotMatch(output, /after/);
  });

  test('core.hooksPath is where it goes, made if need be, and a linked work tree shares it', async () => {
    repository.git('config', 'core.hooksPath', 'tools/hooks');
    const { stdout } = await install();
    assert.match(stdout, /tools\/hooks\/pre-commit\n$/);
    repository.write('a.txt', key);
    repository.git('add', 'a.txt');
    assert.equal(commit().status, 1);
    repository.git('config', '--unset', 'core.hooksPath');
    repository.git('commit', '--quiet', '--message', 'leak', 'a.txt');
    repository.git('worktree', 'add', '--quiet', 'linked');
    assert.equal((await install('linked')).stdout, `Every commit is scanned from now on, by ${hookPath()}\n`);
  });

  test('when the program is gone, one on the PATH takes its place; without one, no commit passes', async () => {
    await install();
    const script = readFileSync(hookPath(), 'utf8');
    writeFileSync(hookPath(), script.replace(/^node=.*$/m, "node='/gone/node'"));
    repository.write('a.txt', 'clean\n');
    repository.git('add', '--all');
    const elsewhere = (repository.env['PATH'] ?? '')
      .split(delimiter)
      .filter((folder) => !existsSync(join(folder, 'keyfold')))
      .join(delimiter);
    const { status, output } = commit([], elsewhere);
    assert.equal(status, 1);
    assert.match(
      output,
      /keyfold was not found.*does not pass\.\nInstall it and run keyfold scan --install-hook/,
    );

    const bin = join(repository.path, '.git/bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'keyfold'), '#!/bin/sh\n[ "$1 $2" = "scan --staged" ] && echo asked\n', {
      mode: 0o755,
    });
    const asked = commit([], [bin, elsewhere].join(delimiter));
    assert.equal(asked.status, 0);
    assert.match(asked.output, /^asked$/m);
  });
});
