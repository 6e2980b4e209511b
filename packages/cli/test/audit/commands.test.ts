import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LogSigner } from '../../../server/test/audit/log-signer.ts';
import { run, spawnCli } from '../run.ts';
import { type RealServer, startRealServer } from '../real-server.ts';
import { startStandInApi } from '../stand-in-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'keyfold-audit-'));
after(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

interface ExportLine {
  readonly head: string;
  readonly record: { readonly sequence: number };
}

describe('keyfold audit', () => {
  const signer = new LogSigner();
  let server: RealServer;
  before(async () => {
    server = await startRealServer();
    for (let round = 0; round < 20; round++) await server.run(['projects', 'create', `project ${round}`]);
  });
  after(() => server[Symbol.asyncDispose]());

  const verify = (...options: readonly string[]) =>
    run(['audit', 'verify', '--records', path('audit.jsonl'), ...options]);
  const proof = ['--checkpoints', path('checkpoints.txt'), '--key', path('audit.key')];

  test('export writes a file that verify proves, and says what no checkpoint covers yet', async () => {
    const written = await server.runJson(['audit', 'export', '--output', path('audit.jsonl')]);
    const bytes = readFileSync(path('audit.jsonl'));
    assert.equal(written['bytes'], bytes.length);
    assert.equal(statSync(path('audit.jsonl')).mode & 0o777, 0o600);
    assert.ok(!readdirSync(folder).some((name) => name.endsWith('.partial')));
    const lines = bytes.toString('utf8').trimEnd().split('\n');
    const notes = [5, lines.length - 2].map((size) => {
      const { head } = JSON.parse(lines[size - 1] ?? '') as ExportLine;
      return signer.sign({ node: 1, sequence: size, head: Buffer.from(head, 'base64url') });
    });
    writeFileSync(path('checkpoints.txt'), notes.map((note) => `${note}\n`).join(''));
    writeFileSync(path('audit.key'), `${signer.verifierKey}\n`);
    const { code, stdout, stderr } = await verify(...proof);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /the last 2 records are covered by no checkpoint yet, which is no error/);
    assert.match(stdout, /The log is intact\.\n$/);
    const asLines = path('checkpoints.jsonl');
    writeFileSync(asLines, notes.map((note) => `${JSON.stringify({ note })}\n`).join(''));
    const key = signer.verifierKey;
    const json = await spawnCli([
      'audit',
      'verify',
      '--records',
      path('audit.jsonl'),
      '--checkpoints',
      asLines,
      '--key',
      key,
      '--json',
    ]);
    assert.equal(json.code, 0, json.stderr);
    const report = JSON.parse(json.stdout) as { result: string; nodes: object[] };
    assert.equal(report.result, 'intact');
    const { head } = JSON.parse(lines.at(-1) ?? '') as ExportLine;
    assert.deepEqual(report.nodes, [
      {
        node: 1,
        result: 'intact',
        records: lines.length,
        first: 1,
        last: lines.length,
        head,
        checkpoints: 2,
        checkpoints_matched: 2,
        records_not_covered: 2,
        first_bad: null,
      },
    ]);
  });

  test('verify without checkpoints, or without a key, proves nothing and says so: 2', async () => {
    const alone = await verify();
    assert.equal(alone.code, 2);
    assert.match(alone.stdout, /proves nothing against whoever owns the database/);
    const unsigned = await verify(...proof.slice(0, 2));
    assert.equal(unsigned.code, 2);
    assert.match(unsigned.stdout, /Without a key no signature was checked/);
    const other = await verify(...proof.slice(0, 2), '--key', new LogSigner('other').verifierKey);
    assert.equal(other.code, 2);
    assert.match(other.stdout, /signed by another key/);
    const forged = await verify(...proof.slice(0, 2), '--key', new LogSigner().verifierKey);
    assert.equal(forged.code, 1);
    assert.match(forged.stdout, /the signature does not hold/);
  });

  test('verify names the first record that was changed: 1', async () => {
    const text = readFileSync(path('audit.jsonl'), 'utf8');
    writeFileSync(path('changed.jsonl'), text.replace('project 7', 'project 8'));
    const line = text.slice(0, text.indexOf('project 7')).split('\n').length;
    const { code, stdout, stderr } = await run([
      'audit',
      'verify',
      '--records',
      path('changed.jsonl'),
      ...proof,
    ]);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`Node 1: first bad record ${line}: the record or its head was changed`));
    assert.match(stderr, new RegExp(`first bad record of node 1 is ${line}\\.`));
  });

  test('what cannot be read, and what is no key, is wrong usage: 2', async () => {
    const missing = await run(['audit', 'verify', '--records', path('none')]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /cannot be read \(ENOENT\).*\nNothing was verified/);
    for (const key of ['none', path('audit.jsonl')]) assert.equal((await verify('--key', key)).code, 2);
    assert.equal((await run(['audit', 'verify'])).code, 2);
  });

  test('export prints to standard output, as CSV and syslog, too, and of an organization', async () => {
    const csv = await server.run(['audit', 'export', '--format', 'csv']);
    assert.equal(csv.code, 0, csv.stderr);
    assert.match(csv.stdout, /^node,sequence,time,/);
    const syslog = await server.run(['audit', 'export', '--format', 'syslog', '--node', '1']);
    assert.match(syslog.stdout, /^<110>1 /);
    const env = { KEYFOLD_URL: server.keyfold.url, KEYFOLD_ADMIN_KEY: server.keyfold.strangerKey };
    const theirs = await run(['audit', 'export', '--from', '2000-01-01T00:00:00Z'], { env });
    assert.equal(theirs.code, 0);
    assert.equal((await server.run(['audit', 'export', '--json'])).code, 2);
    const nowhere = await server.run(['audit', 'export', '--output', path('none/audit.jsonl')]);
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /cannot be written \(ENOENT\)/);
  });

  test('checkpoints are fetched before the records, page by page, each followed by an empty line', async () => {
    const api = await startStandInApi();
    const [first, second] = [1, 2].map((size) =>
      signer.sign({ node: 1, sequence: size, head: Buffer.alloc(32, size) }),
    );
    const page = (note: string | undefined, id: string, more: boolean) => ({
      body: { object: 'list', data: [{ node: 1, note }], has_more: more, last_id: id },
    });
    api.reply(page(first, 'a', true), page(second, 'b', false), { body: 'lines\n' });
    const env = { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_example' };
    const options = ['--output', path('stand-in'), '--checkpoints', path('notes')];
    const { code, stderr } = await run(['audit', 'export', ...options], { env });
    assert.equal(code, 0, stderr);
    assert.equal(readFileSync(path('notes'), 'utf8'), `${first}\n${second}\n`);
    assert.equal(readFileSync(path('stand-in'), 'utf8'), 'lines\n');
    assert.deepEqual(
      api.asked.map(({ url }) => url),
      [
        '/v1/audit/checkpoints?limit=100',
        '/v1/audit/checkpoints?limit=100&after=a',
        '/v1/audit/export?format=jsonl',
      ],
    );
    api.reply({ breaks: true });
    const broken = await run(['audit', 'export', '--output', path('broken')], { env });
    assert.equal(broken.code, 5);
    assert.ok(!readdirSync(folder).some((name) => name.startsWith('broken')), 'there is no part of a file');
    await api.close();
  });

  test('holds are set, listed and released', async () => {
    const created = await server.runJson(['audit', 'holds', 'create', '--reason', 'case 4711']);
    const list = await server.run(['audit', 'holds', 'list']);
    assert.match(list.stdout, /hld_\w+ +yes +case 4711/);
    const released = await server.run(['audit', 'holds', 'release', String(created['id'])]);
    assert.equal(released.stdout, `Released hold ${String(created['id'])}.\n`);
    assert.equal((await server.run(['audit', 'holds', 'release', 'hld_none'])).code, 4);
  });
});
