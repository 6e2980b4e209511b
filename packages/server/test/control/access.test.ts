import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CONTROL_PERMISSIONS } from '@keyfold/protocol';
import { DATABASE_KINDS } from '../databases.ts';
import { type Body, type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import {
  assertProblem,
  createAdmin,
  createKey,
  describeOnEachDatabase,
  textAt,
  withoutRequestId,
} from './support.ts';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly permission: string;
  readonly hasBody: boolean;
}

/** What concerns every organization needs `'*'`, and the permission alone does not do. */
const OF_THE_INSTALLATION = ['GET /v1/audit/sinks'];

/** Every endpoint of the API description that names a control permission, with something in place of its parameters. */
async function readOperations(keyfold: TestKeyfold): Promise<Operation[]> {
  const { body } = await keyfold.request('GET', '/openapi.json', undefined, { key: null });
  const operations: Operation[] = [];
  for (const [path, methods] of Object.entries(body['paths'] as Record<string, Record<string, Body>>)) {
    for (const [method, operation] of Object.entries(methods)) {
      const permission = /`(\w+:\w+)`/.exec(String(operation['description']))?.[1];
      if (permission === undefined) continue;
      operations.push({
        method: method.toUpperCase(),
        path: path.replaceAll(/\{\w+\}/g, 'none'),
        permission,
        hasBody: operation['requestBody'] !== undefined,
      });
    }
  }
  return operations;
}

describe('access to the management API', () => {
  test('every endpoint refuses strangers, data keys and admin keys without its permission, before it reads the body', async () => {
    const [kind] = DATABASE_KINDS;
    assert.ok(kind);
    await using keyfold = await startTestKeyfold(kind);
    const operations = await readOperations(keyfold);
    assert.ok(operations.length >= 27, `${operations.length} endpoints`);
    const live = textAt(await createKey(keyfold, { permissions: ['*'] }), 'api_key');
    const sent = { colour: 'red' };
    for (const { method, path, permission, hasBody } of operations) {
      const ask = (key: string | null) => keyfold.request(method, path, hasBody ? sent : undefined, { key });
      const where = `${method} ${path}`;
      const others = CONTROL_PERMISSIONS.filter((name) => name !== permission);
      const without = await createAdmin(keyfold, ...others);
      const wrongChecksum = `${keyfold.adminKey.slice(0, -1)}${keyfold.adminKey.endsWith('a') ? 'b' : 'a'}`;
      for (const key of [null, 'nonsense', wrongChecksum]) {
        assertProblem(await ask(key), { status: 401, code: 'invalid_api_key' });
      }
      assertProblem(await ask(live), { status: 403, code: 'permission_denied' });
      assertProblem(await ask(without), { status: 403, code: 'permission_denied' });
      const allowed = await ask(await createAdmin(keyfold, permission));
      const expected = OF_THE_INSTALLATION.includes(where) ? [403] : [200, 400, 404];
      assert.ok(expected.includes(allowed.status), `${where}: ${allowed.text}`);
    }
  });

  test('a method that a path does not take is 405 with those that it takes; an unknown path is 404', async () => {
    const [kind] = DATABASE_KINDS;
    assert.ok(kind);
    await using keyfold = await startTestKeyfold(kind);
    for (const [method, path, allow] of [
      ['DELETE', '/v1/keys', 'GET, POST'],
      ['PUT', '/v1/keys/key_none', 'GET, PATCH, DELETE'],
      ['GET', '/v1/keys/key_none/rotate', 'POST'],
      ['POST', '/v1/usage', 'GET'],
      ['OPTIONS', '/v1/budgets', 'GET, PUT'],
      ['GET', '/v1/catalog/models/openai-compatible/meta/llama', 'PUT'],
      ['POST', '/healthz', 'GET'],
      ['POST', '/openapi.json', 'GET'],
    ] as const) {
      for (const key of [null, keyfold.adminKey]) {
        const answer = await keyfold.request(method, path, undefined, { key });
        assertProblem(answer, { status: 405, code: 'method_not_allowed' });
        assert.equal(answer.headers.get('allow'), allow, `${method} ${path}`);
      }
    }
    for (const path of ['/v1/nothing', '/v1', '/', '/v1/keys/key_none/rotate/again']) {
      const answer = await keyfold.request('POST', path);
      assertProblem(answer, { status: 404, code: 'not_found' });
      assert.equal(answer.headers.get('allow'), null);
    }
  });

  test('every endpoint with a body refuses a field that it does not know', async () => {
    const [kind] = DATABASE_KINDS;
    assert.ok(kind);
    await using keyfold = await startTestKeyfold(kind);
    for (const { method, path, hasBody } of await readOperations(keyfold)) {
      // Every field of a price map is a model's name.
      if (path === '/v1/catalog/import' || method === 'GET') continue;
      const answer = await keyfold.request(method, path, { colour_that_is_not_known: 'red' });
      assertProblem(answer, { status: 400, code: 'invalid_request' });
      if (!hasBody) assert.match(textAt(answer, 'detail'), /takes no body/);
    }
  });

  test('every answer that is listed or shown is described', async () => {
    const [kind] = DATABASE_KINDS;
    assert.ok(kind);
    await using keyfold = await startTestKeyfold(kind);
    const { body } = await keyfold.request('GET', '/openapi.json', undefined, { key: null });
    for (const [path, methods] of Object.entries(body['paths'] as Record<string, Record<string, Body>>)) {
      for (const [method, operation] of Object.entries(methods)) {
        const responses = operation['responses'] as Record<string, Body>;
        assert.ok(responses['default'], `${method} ${path}`);
        const success = Object.keys(responses).find((status) => status.startsWith('2'));
        assert.ok(success !== undefined, `${method} ${path}`);
        if (success !== '204') assert.ok(responses[success]?.['content'], `${method} ${path}`);
      }
    }
  });
});

describeOnEachDatabase('privileges', (keyfold) => {
  const refusedAs = async (key: string, request: readonly [string, string, object?]) => {
    const [method, path, body] = request;
    assertProblem(await keyfold().request(method, path, body, { key }), {
      status: 403,
      code: 'permission_denied',
    });
  };

  test('no key grants what it does not have itself', async () => {
    const writer = await createAdmin(keyfold(), 'keys:write', 'keys:rotate', 'keys:read');
    for (const permissions of [['*'], ['audit:read'], ['keys:read', 'credentials:write']]) {
      await refusedAs(writer, ['POST', '/v1/keys', { kind: 'admin', permissions }]);
    }
    const own = textAt(await keyfold().request('POST', '/v1/keys/verify', { key: writer }), 'key_id');
    await refusedAs(writer, ['PATCH', `/v1/keys/${own}`, { permissions: ['*'] }]);
    await refusedAs(writer, ['PATCH', `/v1/keys/${own}`, { permissions: ['keys:write', 'keys:revoke'] }]);
    const granted = await keyfold().request(
      'POST',
      '/v1/keys',
      { kind: 'admin', permissions: ['keys:read'] },
      { key: writer },
    );
    assert.equal(granted.status, 201, granted.text);
  });

  test('no key takes over a stronger one by rotating or changing it', async () => {
    const writer = await createAdmin(keyfold(), 'keys:write', 'keys:rotate', 'keys:read');
    const strong = await createKey(keyfold(), { kind: 'admin', permissions: ['*'] });
    const path = `/v1/keys/${textAt(strong, 'id')}`;
    await refusedAs(writer, ['POST', `${path}/rotate`]);
    await refusedAs(writer, ['PATCH', path, { name: 'mine' }]);
    const shown = await keyfold().request('GET', path);
    assert.equal((shown.body['versions'] as unknown[]).length, 1);
    assert.equal(shown.body['name'], null);
  });

  test("'*' of a live key is not '*' of an admin key", async () => {
    const live = textAt(await createKey(keyfold(), { permissions: ['*'] }), 'api_key');
    await refusedAs(live, ['GET', '/v1/keys']);
    const admin = await createAdmin(keyfold(), 'keys:write');
    const made = await keyfold().request('POST', '/v1/keys', { permissions: ['*'] }, { key: admin });
    assert.ok([201, 403].includes(made.status), made.text);
    const chat = await keyfold().request('POST', '/v1/chat/completions', {
      model: 'sandbox/echo',
      messages: [],
    });
    assert.equal(chat.status, 403, 'an admin key makes no model calls');
  });

  test("another organization's key is as absent as none, whatever is asked of it", async () => {
    const theirs = await keyfold().request(
      'POST',
      '/v1/keys',
      { permissions: ['chat'] },
      { key: keyfold().strangerKey },
    );
    const id = textAt(theirs, 'id');
    const [version] = theirs.body['versions'] as { id: string }[];
    for (const [method, suffix, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { name: 'ours' }],
      ['DELETE', '', undefined],
      ['POST', '/rotate', {}],
    ] as const) {
      const absent = await keyfold().request(method, `/v1/keys/key_none${suffix}`, body);
      for (const name of [id, version?.id]) {
        const foreign = await keyfold().request(method, `/v1/keys/${name}${suffix}`, body);
        assertProblem(foreign, { status: 404, code: 'not_found' });
        assert.deepEqual(withoutRequestId(foreign), withoutRequestId(absent));
      }
    }
    const listed = await keyfold().request('GET', '/v1/keys?limit=100');
    assert.ok(!listed.text.includes(id));
  });

  test('a key that is bound to networks is refused from others', async () => {
    const key = await createKey(keyfold(), {
      kind: 'admin',
      permissions: ['keys:read'],
      networks: ['192.0.2.0/24'],
    });
    const answer = await keyfold().request('GET', '/v1/keys', undefined, { key: textAt(key, 'api_key') });
    assertProblem(answer, { status: 403, code: 'network_not_allowed' });
  });

  test('a key in the URL is refused, whoever sends it', async () => {
    const answer = await keyfold().request('GET', `/v1/keys?api_key=${keyfold().adminKey}`);
    assert.equal(answer.status, 400);
    assert.ok(!answer.text.includes(keyfold().adminKey));
  });
});
