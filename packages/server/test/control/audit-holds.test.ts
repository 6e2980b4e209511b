import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, createAdmin, describeOnEachDatabase, findEvent, rowsOf, textAt } from './support.ts';

const PATH = '/v1/audit/holds';

describeOnEachDatabase('legal holds', (keyfold) => {
  test('are set, listed and released, each with its record', async () => {
    const set = await keyfold().request('POST', PATH, { reason: 'case 4711' });
    assert.equal(set.status, 201, set.text);
    const id = textAt(set, 'id');
    assert.deepEqual(
      [set.body['active'], set.body['edited'], set.body['reason']],
      [true, false, 'case 4711'],
    );
    const [listed] = rowsOf(await keyfold().request('GET', PATH));
    assert.deepEqual(listed, set.body);
    const event = await findEvent(keyfold(), { action: 'audit.hold_set', target: id });
    assert.deepEqual(event['detail'], { reason: 'case 4711' });
    const released = await keyfold().request('DELETE', `${PATH}/${id}`);
    assert.deepEqual([released.status, released.body['active']], [200, false]);
    await findEvent(keyfold(), { action: 'audit.hold_released', target: id });
    assert.deepEqual(rowsOf(await keyfold().request('GET', PATH)), [released.body]);
    assertProblem(await keyfold().request('DELETE', `${PATH}/${id}`), { status: 409, code: 'conflict' });
  });

  test("need 'audit:write', are the organization's own, and their number is bounded", async () => {
    const reader = await createAdmin(keyfold(), 'audit:read');
    const refused = await keyfold().request('POST', PATH, { reason: 'x' }, reader);
    assertProblem(refused, { status: 403, code: 'permission_denied' });
    const set = await keyfold().request('POST', PATH, { reason: 'x' });
    const theirs = await keyfold().request(
      'DELETE',
      `${PATH}/${textAt(set, 'id')}`,
      undefined,
      keyfold().strangerKey,
    );
    assertProblem(theirs, { status: 404, code: 'not_found' });
    assert.deepEqual(rowsOf(await keyfold().request('GET', PATH, undefined, keyfold().strangerKey)), []);
    for (const body of [
      {},
      { reason: '' },
      { reason: 'a\nb' },
      { reason: 'x'.repeat(501) },
      { reason: 'x', until: 1 },
    ]) {
      assertProblem(await keyfold().request('POST', PATH, body), { status: 400, code: 'invalid_request' });
    }
    for (let count = 1; count < 100; count++) {
      assert.equal((await keyfold().request('POST', PATH, { reason: `${count}` })).status, 201);
    }
    assertProblem(await keyfold().request('POST', PATH, { reason: 'one more' }), {
      status: 409,
      code: 'conflict',
    });
    const page = rowsOf(await keyfold().request('GET', `${PATH}?limit=2`));
    assert.deepEqual(
      page.map(({ reason }) => reason),
      ['99', '98'],
    );
  });
});
