import assert from 'node:assert/strict';
import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import { test } from 'node:test';
import { STREAMS_PER_ORGANIZATION_MAX } from '../../src/audit/following/audit-thread-port.ts';
import type { Body, TestKeyfold } from '../keyfold.ts';
import {
  assertProblem,
  auditEvents,
  createAdmin,
  createKey,
  describeOnEachDatabase,
  rowsOf,
  textAt,
} from './support.ts';

describeOnEachDatabase('asking the audit log', (keyfold) => {
  const ask = (query: Record<string, string>, key?: string) =>
    keyfold().request('GET', `/v1/audit/events?${String(new URLSearchParams(query))}`, undefined, key ?? {});
  const actionsOf = async (query: Record<string, string>) =>
    rowsOf(await ask(query)).map(({ action }) => action);

  test('each filter finds what was done, and full text finds any word of it', async () => {
    const project = await keyfold().request('POST', '/v1/projects', { name: 'Größe 50% café' });
    const id = textAt(project, 'id');
    const requestId = project.headers.get('x-request-id') ?? assert.fail();
    const key = await createKey(keyfold(), { project_id: id, name: 'finder' });
    const keyId = textAt(key, 'id');
    const budget = { scope: 'key', scope_id: keyId, period: 'day', cap_usd: '3' };
    await keyfold().request('PUT', '/v1/budgets', budget);
    const [newest] = await auditEvents(keyfold(), 1);
    const actor = String(newest?.['actor']);
    const since = { from: new Date(Date.now() - 60_000).toISOString() };
    assert.deepEqual(await actionsOf({ target: id, ...since }), ['project.created']);
    assert.deepEqual(await actionsOf({ request_id: requestId }), ['project.created']);
    assert.deepEqual(await actionsOf({ key_id: keyId }), ['budget.set', 'key.created']);
    assert.deepEqual(await actionsOf({ project_id: id }), ['budget.set', 'key.created', 'project.created']);
    assert.deepEqual(await actionsOf({ type: 'project.*', actor, limit: '1' }), ['project.created']);
    assert.deepEqual(await actionsOf({ q: 'GRÖSSE' }), [], 'letters are not folded into others');
    assert.deepEqual(await actionsOf({ q: 'größe 50%' }), ['project.created']);
    assert.deepEqual(await actionsOf({ q: `café "größe" ${id}` }), ['project.created']);
    assert.deepEqual(await actionsOf({ q: 'café', decision: 'denied' }), []);
    assert.deepEqual(await actionsOf({ q: 'café', network: '127.0.0.0/8' }), ['project.created']);
    assert.deepEqual(await actionsOf({ q: 'café', network: '10.0.0.0/8' }), []);
    assert.deepEqual(await actionsOf({ q: 'café', to: new Date(Date.now() - 60_000).toISOString() }), []);
  });

  test('what means something to SQL, to FTS, to a tsquery or to LIKE is looked for as it stands', async () => {
    const all = await auditEvents(keyfold());
    assert.ok(all.length > 1);
    for (const text of [
      "x' or '1'='1",
      "'; drop table audit_records; --",
      'caf*',
      '%',
      '_',
      '"',
      'a" OR "b',
      'NEAR(a b)',
      'a AND NOT b',
      'col:a',
      '^a',
      'a & !b | (c <-> d):*',
      '\\',
      '\0',
      '{a}',
    ]) {
      const found = await ask({ q: `${text} nowhere_to_be_found` });
      assert.deepEqual(rowsOf(found), [], text);
      for (const field of ['actor', 'key_id', 'project_id', 'target', 'request_id']) {
        assert.deepEqual(rowsOf(await ask({ [field]: text })), [], `${field} ${text}`);
      }
    }
    assert.ok((await auditEvents(keyfold())).length >= all.length);
  });

  test('what is no filter is refused, and says which', async () => {
    for (const [param, value] of [
      ['type', 'key.invented'],
      ['type', '*'],
      ['type', "key.created' or 1=1"],
      ['type', Array.from({ length: 40 }, () => 'key.*').join(',')],
      ['decision', 'maybe'],
      ['network', '10.0.0.0/33'],
      ['network', '999.1.1.1'],
      ['network', '10.0.0.0/8/8'],
      ['network', 'fe80::1%eth0'],
      ['q', '%%%'],
      ['q', 'a '.repeat(300)],
      ['q', Array.from({ length: 20 }, (_, index) => `w${index}`).join(' ')],
      ['after', '1-1; drop'],
      ['after', '0-1'],
      ['after', '1-1.1-2'],
      ['from', 'yesterday'],
      ['limit', '101'],
      ['colour', 'red'],
    ] as const) {
      const answer = await ask({ [param]: value });
      assertProblem(answer, { status: 400, code: 'invalid_request' });
      assert.match(answer.text, new RegExp(`"param":"${param}`), `${param} ${answer.text}`);
    }
    const range = { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' };
    assertProblem(await ask(range), { status: 400, code: 'invalid_request', param: 'from' });
    const huge = await ask({ q: 'x'.repeat(1_048_576) });
    assert.equal(huge.status, 431, 'a request line of a megabyte is not read');
  });

  test("an organization finds its own records alone, also by another's request id", async () => {
    const stranger = keyfold().strangerKey;
    const made = await keyfold().request('POST', '/v1/projects', { name: 'foreign' }, { key: stranger });
    const requestId = made.headers.get('x-request-id') ?? assert.fail();
    assert.deepEqual(rowsOf(await ask({ request_id: requestId })), []);
    assert.equal(rowsOf(await ask({ request_id: requestId }, stranger)).length, 1);
    const reader = await createAdmin(keyfold(), 'audit:read');
    assert.deepEqual(rowsOf(await ask({ type: 'process.*' }, reader)), []);
    assert.ok(rowsOf(await ask({ type: 'process.*' })).length > 0);
  });

  test('a stream tells what happens while it is open, to those who may read it, and resumes from any event', async () => {
    const first = await openStream(keyfold(), '?type=project.*');
    await first.until(': connected');
    for (const name of ['one', 'two']) await keyfold().request('POST', '/v1/projects', { name });
    await createKey(keyfold());
    const text = await first.until('"name":"two"');
    const [one = assert.fail()] = [...text.matchAll(/^id: (\S+)$/gm)];
    assert.doesNotMatch(text, /key\.created/);
    first.close();
    const again = await openStream(keyfold(), '?type=project.*', { 'last-event-id': one[1] ?? '' });
    const resumed = await again.until('"name":"two"');
    assert.doesNotMatch(resumed, /"name":"one"/);
    again.close();
    assertProblem(
      await keyfold().request('GET', '/v1/audit/stream', undefined, { headers: { 'last-event-id': 'x' } }),
      { status: 400, code: 'invalid_request' },
    );
    const beyond = await openStream(keyfold(), '', { 'last-event-id': '1-99999999' });
    assert.match(await beyond.ended(), /event: dropped\ndata: \{"reason":"the log does not reach/);
  });

  test('a stream ends when its key is revoked', async () => {
    const created = await createKey(keyfold(), { kind: 'admin', permissions: ['audit:read'] });
    const stream = await openStream(keyfold(), '', {}, textAt(created, 'api_key'));
    await stream.until(': connected');
    await keyfold().request('DELETE', `/v1/keys/${textAt(created, 'id')}`);
    assert.match(
      await stream.ended(),
      /event: dropped\ndata: \{"reason":"the key was changed or has ended"\}/,
    );
  });

  test('more streams than there is room for are refused', async () => {
    const streams = await Promise.all(
      Array.from({ length: STREAMS_PER_ORGANIZATION_MAX }, () => openStream(keyfold(), '?type=route.*')),
    );
    await Promise.all(streams.map((stream) => stream.until(': connected')));
    assertProblem(await keyfold().request('GET', '/v1/audit/stream'), {
      status: 429,
      code: 'concurrency_exceeded',
    });
    for (const stream of streams) stream.close();
    const stranger = await openStream(keyfold(), '', {}, keyfold().strangerKey);
    await stranger.until(': connected');
    stranger.close();
  });

  test('streams whose clients leave, however early, give their places back', async () => {
    for (let times = 0; times < 3; times++) {
      const opened = Array.from({ length: STREAMS_PER_ORGANIZATION_MAX }, () => openStream(keyfold(), ''));
      for (const stream of await Promise.all(opened)) stream.close();
    }
    await until(async () => {
      const answer = await keyfold().request('GET', '/v1/audit/stream');
      return answer.status === 200;
    });
  });

  test('a record that somebody made unreadable hides no other', async () => {
    const made = await keyfold().request('POST', '/v1/projects', { name: 'before the damage' });
    await spoilRecord(keyfold(), textAt(made, 'id'));
    await keyfold().request('POST', '/v1/projects', { name: 'after the damage' });
    assert.deepEqual(await actionsOf({ q: 'damage' }), ['project.created']);
    assert.ok(rowsOf(await ask({ type: 'project.*', limit: '100' })).length > 1);
  });

  test('no value, whatever it looks like beside others, is taken for a secret or hides one', async () => {
    const odd = await createKey(keyfold(), { models: ['m://x'] });
    const path = `/v1/keys/${textAt(odd, 'id')}`;
    await keyfold().request('PATCH', path, { models: ['m://y'], metadata: { owner: 'me@corp.example' } });
    const [updated] = rowsOf(await ask({ type: 'key.updated', limit: '1' }));
    assert.deepEqual(((updated ?? assert.fail())['detail'] as Body)['after'], {
      models: ['m://y'],
      'metadata.owner': 'me@corp.example',
    });
    for (const before of ['\t', '\n', '\\', '"', ' ']) {
      const leaked = { url: 'https://example.org', note: `${before}kf_live_${'0'.repeat(49)} and more` };
      const secret = textAt(odd, 'api_key');
      const reported = await keyfold().request('POST', '/v1/leaks', { secret, ...leaked });
      assert.equal(reported.status, 200, reported.text);
      const [told] = rowsOf(await ask({ type: 'leak.reported', limit: '1' }));
      assert.doesNotMatch(JSON.stringify(told), /kf_live_0/, JSON.stringify(before));
    }
  });
});

/** In the database, behind Keyfold's back. */
async function spoilRecord(keyfold: TestKeyfold, target: string): Promise<void> {
  await keyfold.edit(
    `update audit_records set record = '{"sequence":' || sequence || ',"damage' where record like '%"${target}"%'`,
  );
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) await new Promise((resolve) => setImmediate(resolve));
}

interface OpenedStream {
  /** What has come, as soon as it holds a text. */
  until(text: string): Promise<string>;
  /** Everything, once the server has ended it. */
  ended(): Promise<string>;
  close(): void;
}

function openStream(
  keyfold: TestKeyfold,
  query: string,
  headers: Record<string, string> = {},
  key = keyfold.adminKey,
): Promise<OpenedStream> {
  return new Promise((resolve, reject) => {
    const request: ClientRequest = openRequest(`${keyfold.url}/v1/audit/stream${query}`, {
      headers: { authorization: `Bearer ${key}`, ...headers },
      agent: false,
    });
    request.once('error', reject);
    request.once('response', (response) => {
      assert.equal(response.headers['content-type'], 'text/event-stream');
      resolve(readStream(request, response));
    });
    request.end();
  });
}

function readStream(request: ClientRequest, response: IncomingMessage): OpenedStream {
  let text = '';
  let isOver = false;
  let look = () => {};
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    look();
  });
  response.on('close', () => {
    isOver = true;
    look();
  });
  request.on('error', () => undefined);
  const wait = (isDone: () => boolean) =>
    new Promise<string>((resolve, reject) => {
      look = () => {
        if (isDone()) resolve(text);
        else if (isOver) reject(new Error(`the stream has ended: ${text}`));
      };
      look();
    });
  return {
    until: (wanted) => wait(() => text.includes(wanted)),
    ended: () => wait(() => isOver),
    close: () => request.destroy(),
  };
}
