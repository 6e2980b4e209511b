import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertProblem,
  createKey,
  describeOnEachDatabase,
  findEvent,
  rowsOf,
  textAt,
  withoutRequestId,
} from './support.ts';

describeOnEachDatabase('organizations and projects', (keyfold) => {
  test('a key sees its own organization and no other', async () => {
    const [own, ...others] = rowsOf(await keyfold().request('GET', '/v1/organizations'));
    assert.equal(own?.['name'], 'default');
    assert.deepEqual(others, []);
    const options = { key: keyfold().strangerKey };
    const [theirs] = rowsOf(await keyfold().request('GET', '/v1/organizations', undefined, options));
    assert.equal(theirs?.['name'], 'another');
  });

  test('a project is made, shown, listed, recorded, and keys can be put into it', async () => {
    const made = await keyfold().request('POST', '/v1/projects', { name: 'search' });
    assert.equal(made.status, 201, made.text);
    const id = textAt(made, 'id');
    const shown = await keyfold().request('GET', `/v1/projects/${id}`);
    assert.deepEqual(shown.body, made.body);
    assert.deepEqual(rowsOf(await keyfold().request('GET', '/v1/projects?limit=1'))[0], made.body);
    const event = await findEvent(keyfold(), { action: 'project.created', target: id });
    assert.deepEqual(event['detail'], { name: 'search' });
    assert.equal(event['request_id'], made.headers.get('x-request-id'));
    const key = await createKey(keyfold(), { project_id: id });
    assert.equal(key['project_id'], id);
    const keys = rowsOf(await keyfold().request('GET', `/v1/keys?project_id=${id}`));
    assert.deepEqual(
      keys.map((row) => row['id']),
      [key['id']],
    );
  });

  test('a name is taken once, also by requests that meet', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => keyfold().request('POST', '/v1/projects', { name: 'once' })),
    );
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    for (const answer of answers) {
      if (answer.status !== 201) assertProblem(answer, { status: 409, code: 'conflict' });
    }
    const projects = rowsOf(await keyfold().request('GET', '/v1/projects?limit=100'));
    assert.equal(projects.filter((row) => row['name'] === 'once').length, 1);
  });

  test('the same name in another organization is free', async () => {
    const options = { key: keyfold().strangerKey };
    const theirs = await keyfold().request('POST', '/v1/projects', { name: 'shared' }, options);
    const ours = await keyfold().request('POST', '/v1/projects', { name: 'shared' });
    assert.deepEqual([theirs.status, ours.status], [201, 201]);
  });

  test("another organization's project is as absent as one that never was", async () => {
    const options = { key: keyfold().strangerKey };
    const [theirs] = rowsOf(await keyfold().request('GET', '/v1/projects', undefined, options));
    const foreign = await keyfold().request('GET', `/v1/projects/${textAt(theirs ?? {}, 'id')}`);
    const absent = await keyfold().request('GET', '/v1/projects/prj_00000000000000000000000000');
    assertProblem(foreign, { status: 404, code: 'not_found' });
    assert.deepEqual(withoutRequestId(foreign), withoutRequestId(absent));
    const key = await keyfold().request('POST', '/v1/keys', {
      permissions: ['chat'],
      project_id: textAt(theirs ?? {}, 'id'),
    });
    assertProblem(key, { status: 404, code: 'not_found', param: 'project_id' });
  });

  test('a project has a name and nothing else', async () => {
    for (const [body, param] of [
      [{}, 'name'],
      [{ name: '' }, 'name'],
      [{ name: 7 }, 'name'],
      [{ name: 'a\nb' }, 'name'],
      [{ name: 'a'.repeat(201) }, 'name'],
      [{ name: 'a', owner: 'b' }, 'owner'],
    ] as const) {
      assertProblem(await keyfold().request('POST', '/v1/projects', body), {
        status: 400,
        code: 'invalid_request',
        param,
      });
    }
  });
});
