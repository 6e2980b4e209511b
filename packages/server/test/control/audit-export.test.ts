import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { EMPTY_CHAIN, nextHead } from '../../src/storage/audit-chain.ts';
import { auditEvents, createAdmin, createKey, describeOnEachDatabase, assertProblem } from './support.ts';

const LINE = /^\{"head":"([\w-]{43})","record":(.*)\}$/;
/** What would be lines, cells or formulas of its own if it were not escaped; names of keys hold no control characters. */
const NAMES = ["=cmd|' /C calc'!A0", '+1', '-1', '@SUM(1)', '"],"]\\', '＝1', '漢字 📦'];

describeOnEachDatabase('the export of the audit log', (keyfold) => {
  const read = async (query: string, key?: string) => {
    const answer = await keyfold().request('GET', `/v1/audit/export${query}`, undefined, key ?? {});
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.text === '' || answer.text.endsWith('\n'));
    return { type: answer.headers.get('content-type'), lines: answer.text.split('\n').slice(0, -1) };
  };

  test("is the whole log for a key with '*': every record as it was hashed, and the head after it", async () => {
    await keyfold().request('POST', '/v1/projects', { name: 'theirs' }, keyfold().strangerKey);
    for (const name of NAMES) await createKey(keyfold(), { name });
    const events = await auditEvents(keyfold());
    const { type, lines } = await read('');
    assert.equal(type, 'application/jsonl');
    let { head } = EMPTY_CHAIN;
    const organizations = new Set<unknown>();
    for (const [index, line] of lines.entries()) {
      const [, stored, record = ''] = LINE.exec(line) ?? assert.fail(line);
      head = nextHead(head, record);
      assert.equal(stored, head, `record ${index + 1}`);
      const leaf = Buffer.from(line).subarray(63, -1);
      assert.equal(hash('sha256', leaf), hash('sha256', record), 'the record stands where it is said to');
      organizations.add((JSON.parse(record) as { organization_id?: string }).organization_id);
    }
    assert.ok(lines.length > events.length && organizations.size === 3, 'of both organizations, and of none');
  });

  test("is the organization's own events for any other key, one line each", async () => {
    const reader = await createAdmin(keyfold(), 'audit:read');
    const { lines } = await read('', reader);
    const events = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    assert.ok(events.length >= NAMES.length);
    assert.equal(new Set(events.map((event) => event['organization_id'])).size, 1);
    assert.ok(!lines.some((line) => line.includes('theirs') || line.includes('"head"')));
    const sequences = events.map((event) => Number(event['sequence']));
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    );
    const none = await createAdmin(keyfold(), 'usage:read');
    const refused = await keyfold().request('GET', '/v1/audit/export', undefined, none);
    assertProblem(refused, { status: 403, code: 'permission_denied' });
  });

  test('as CSV is one line a record with the same columns, and no cell is a formula', async () => {
    const hostile = 'a,b\n"c';
    await keyfold().request('GET', `/v1/keys/${encodeURIComponent(hostile)}`);
    await keyfold().request('POST', '/v1/audit/holds', { reason: '=1+1' });
    const { type, lines } = await read('?format=csv');
    assert.equal(type, 'text/csv; charset=utf-8');
    const [header = [], ...rows] = parse(`${lines.join('\n')}\n`);
    assert.deepEqual(header.slice(0, 3), ['node', 'sequence', 'time']);
    assert.equal(rows.length, lines.length - 1);
    assert.ok(rows.every((cells) => cells.length === header.length));
    assert.ok(!rows.flat().some((cell) => /^[=+\-@\t\r＝＋－＠]/.test(cell)));
  });

  test('as syslog is one line of RFC 5424 a record, in characters that no collector takes for an end', async () => {
    const { type, lines } = await read('?format=syslog');
    assert.equal(type, 'text/plain; charset=utf-8');
    const form =
      /^<(110|108)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z - keyfold \d+ [!-~]{1,32} \[keyfold@32473(?: [a-z_]{1,32}="(?:[^"\\\]]|\\["\\\]])*")+\] \{[ -~]*\}$/;
    for (const line of lines) assert.match(line, form);
    const denied = lines.filter((line) => line.startsWith('<108>'));
    assert.ok(denied.length > 0 && denied.every((line) => line.includes('decision="denied"')));
  });

  test('may be of a time or of a node', async () => {
    const all = (await read('')).lines.length;
    assert.equal((await read('?from=2000-01-01T00:00:00Z&node=1')).lines.length, all);
    assert.equal(
      (await read('?from=2100-01-01T00:00:00Z', await createAdmin(keyfold(), 'audit:read'))).lines.length,
      0,
    );
    assert.equal((await read('?to=2000-01-01T00:00:00Z')).lines.length, 0);
    assert.equal((await read('?node=7')).lines.length, 0);
    for (const query of [
      'format=xml',
      'from=now',
      'node=0',
      'q=1',
      'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
    ]) {
      const refused = await keyfold().request('GET', `/v1/audit/export?${query}`);
      assertProblem(refused, { status: 400, code: 'invalid_request' });
    }
  });
});
