import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type GitRepository, createRepository } from '../../test/git-repository.ts';
import {
  type Planted,
  createDraw,
  drawNearMisses,
  drawSecrets,
  plantSecrets,
  prose,
} from '../../test/planted-secrets.ts';
import { type RunResult, run } from '../../test/run.ts';

const SEED = Number(process.env['KEYFOLD_SCAN_SEED'] ?? 20_300_101);
const COUNT = 1_000;
const FILES_OF_NEAR_MISSES = 40;

interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly end_column: number;
  readonly commit?: string;
}

describe(`${COUNT} planted secrets and ${COUNT} near misses (KEYFOLD_SCAN_SEED=${SEED})`, () => {
  const draw = createDraw(SEED);
  const files = plantSecrets(draw, drawSecrets(draw, COUNT));
  const planted = files.flatMap((file) => file.planted);
  const nearMisses = drawNearMisses(draw, COUNT);
  const printed: RunResult[] = [];
  let repository: GitRepository;
  let leakedIn: string;

  before(() => {
    repository = createRepository();
    repository.write('README', 'Nothing yet.\n');
    repository.commitAll('begin');
    for (const { path, content } of files) repository.write(path, content);
    for (let index = 0; index < FILES_OF_NEAR_MISSES; index++) {
      const own = nearMisses.filter((_, at) => at % FILES_OF_NEAR_MISSES === index);
      const lines = own.map((miss, at) => `${prose(draw, 5)} ${at % 2 === 0 ? `key = "${miss}"` : miss}\n`);
      repository.write(`near/${index}.txt`, lines.join(''));
    }
  });

  after(() => repository[Symbol.dispose]());

  const scan = async (...args: string[]): Promise<Finding[]> => {
    const { path: cwd, env } = repository;
    const result = await run(['scan', ...args, '--json'], { cwd, env });
    printed.push(result, await run(['scan', ...args], { cwd, env, isTerminal: true }));
    printed.push(await run(['scan', ...args, '--sarif'], { cwd, env }));
    return (JSON.parse(result.stdout) as { findings: Finding[] }).findings;
  };

  test('all are found in the work tree, each in its place, and no near miss', async () => {
    assert.equal(planted.length, COUNT);
    assert.deepEqual((await scan()).map(describeFinding).sort(), planted.map(describePlanted).sort());
    assert.deepEqual(await scan('near'), []);
  });

  test('all are found in the index, also when the work tree no longer has them', async () => {
    repository.git('add', '--all');
    for (const name of readdirSync(repository.path)) {
      if (name !== '.git') rmSync(join(repository.path, name), { recursive: true });
    }
    assert.deepEqual(await scan(), []);
    assert.deepEqual(
      (await scan('--staged')).map(describeFinding).sort(),
      planted.map(describePlanted).sort(),
    );
  });

  test('all are found in the history, with the commit that brought them in, when they were deleted since', async () => {
    repository.git('commit', '--quiet', '--message', 'leak');
    leakedIn = repository.git('rev-parse', 'HEAD').trim();
    repository.commitAll('delete everything');
    assert.deepEqual(await scan(), []);
    const findings = await scan('--history');
    assert.deepEqual(findings.map(describeFinding).sort(), planted.map(describePlanted).sort());
    assert.deepEqual([...new Set(findings.map(({ commit }) => commit))], [leakedIn]);
  });

  test('no output had a secret in it', () => {
    const output = printed.map(({ stdout, stderr }) => stdout + stderr).join('');
    assert.ok(output.length > 1_000_000);
    // Four characters at its end are shown.
    for (const { secret } of planted) assert.ok(!output.includes(secret.slice(-8)));
  });
});

function describeFinding({ rule, path, line, column, end_column }: Finding): string {
  return `${path}:${line}:${column}-${end_column} ${rule}`;
}

function describePlanted({ rule, path, line, column, secret }: Planted): string {
  return `${path}:${line}:${column}-${column + secret.length} ${rule}`;
}
