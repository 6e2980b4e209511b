import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LogSigner } from '../../../server/test/audit/log-signer.ts';
import { type RealServer, startRealServer } from '../real-server.ts';

const PAGE = new URL('../../../../docs/audit-verification.md', import.meta.url);

describe('the verifier in docs/audit-verification.md', () => {
  const signer = new LogSigner();
  const folder = mkdtempSync(join(tmpdir(), 'keyfold-python-'));
  const file = (name: string) => join(folder, name);
  let server: RealServer;
  let lines: readonly string[];
  let notes: readonly string[];

  before(async () => {
    // It says so where one of them is missing: what a third party is told to run is run here.
    for (const program of ['python3', 'openssl'])
      execFileSync(program, [program === 'openssl' ? 'version' : '-V']);
    server = await startRealServer();
    const [, program = ''] = /```python\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8')) ?? [];
    writeFileSync(file('verify.py'), program);
    for (let round = 0; round < 5; round++) await server.run(['projects', 'create', `проект ${round}`]);
    await server.runJson(['audit', 'export', '--output', file('audit.jsonl')]);
    lines = readFileSync(file('audit.jsonl'), 'utf8').trimEnd().split('\n');
    notes = [3, lines.length - 1].map((size) => {
      const { head } = JSON.parse(lines[size - 1] ?? '') as { head: string };
      return signer.sign({ node: 1, sequence: size, head: Buffer.from(head, 'base64url') });
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const verify = (records: readonly string[], signed = notes) => {
    writeFileSync(file('records'), records.map((line) => `${line}\n`).join(''));
    writeFileSync(file('checkpoints'), signed.map((note) => `${note}\n`).join(''));
    const args = [file('verify.py'), file('records'), file('checkpoints'), signer.verifierKey];
    const { status, stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
    return { status, said: stdout + (stderr.trimEnd().split('\n').at(-1) ?? '') };
  };

  test('proves a real export', () => {
    const { status, said } = verify(lines);
    assert.deepEqual([status, said], [0, `intact: {1: ${lines.length}} with 2 checkpoints\n`]);
  });

  test('finds out what was done to it', () => {
    const changed = lines.map((line) => line.replace('проект 2', 'проект 3'));
    const at = lines.findIndex((line) => line.includes('проект 2')) + 1;
    assert.match(verify(changed).said, new RegExp(`record ${at} was changed`));
    assert.match(verify(lines.toSpliced(4, 1)).said, /node 1: 6 comes after 4/);
    assert.match(verify(lines.slice(0, -2)).said, /the log ends before/);
    const forged = notes.map((note) => note.replace(`\n3\n`, '\n2\n'));
    assert.match(verify(lines, forged).said, /the signature of node 1, size 2 does not hold/);
    const torn = [(notes[0] ?? '').slice(0, -20), ...notes];
    assert.deepEqual(verify(lines, torn), verify(lines));
    assert.match(verify(lines, []).said, /node 1: no checkpoint covers any of its records/);
    assert.match(verify([], []).said, /there are no records/);
    assert.equal(verify([...lines.slice(0, 3), 'nonsense', ...lines.slice(3)]).status, 1);
  });
});
