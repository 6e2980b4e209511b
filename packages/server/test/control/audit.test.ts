import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../keyfold.ts';
import {
  assertProblem,
  auditEvents,
  chat,
  createAdmin,
  createKey,
  describeOnEachDatabase,
  rowsOf,
  textAt,
} from './support.ts';

describeOnEachDatabase('the audit log', (keyfold) => {
  test('every change is recorded with who, what and which request', async () => {
    const actor = textAt(
      await keyfold().request('POST', '/v1/keys/verify', { key: keyfold().adminKey }),
      'key_id',
    );
    const key = await createKey(keyfold(), { budgets: { per_day_usd: '1' } });
    const keyPath = `/v1/keys/${textAt(key, 'id')}`;
    const credential = await keyfold().request('POST', '/v1/credentials', {
      provider: 'openai',
      name: 'audited',
      secret: 'sk-audited',
    });
    const credentialPath = `/v1/credentials/${textAt(credential, 'id')}`;
    const budget = (key['budgets'] as Body[])[0];
    const changes: readonly [action: string, method: string, path: string, body?: object][] = [
      ['key.updated', 'PATCH', keyPath, { name: 'a' }],
      ['key.rotated', 'POST', `${keyPath}/rotate`],
      [
        'budget.set',
        'PUT',
        '/v1/budgets',
        { scope: 'key', scope_id: key['id'], period: 'day', cap_usd: '2' },
      ],
      ['budget.removed', 'DELETE', `/v1/budgets/${textAt(budget ?? {}, 'id')}`],
      ['key.revoked', 'DELETE', keyPath],
      ['project.created', 'POST', '/v1/projects', { name: 'audited' }],
      ['credential.updated', 'PATCH', credentialPath, { name: 'audited again' }],
      ['credential.updated', 'POST', `${credentialPath}/rotate`, { secret: 'sk-again' }],
      ['credential.deleted', 'DELETE', credentialPath],
      [
        'price.set',
        'PUT',
        '/v1/catalog/models/openai/audited',
        { input_usd_per_million: '1', output_usd_per_million: '1' },
      ],
      ['prices.imported', 'POST', '/v1/catalog/import', {}],
    ];
    for (const [action, method, path, body] of changes) {
      const answer = await keyfold().request(method, path, body);
      assert.ok(answer.status < 300, answer.text);
      const [newest] = await auditEvents(keyfold(), 1);
      assert.deepEqual(
        [newest?.['action'], newest?.['actor'], newest?.['decision'], newest?.['request_id']],
        [action, actor, 'allowed', answer.headers.get('x-request-id')],
      );
    }
    const actions = (await auditEvents(keyfold())).map(({ action }) => action);
    for (const action of ['key.created', 'credential.created']) assert.ok(actions.includes(action));
  });

  test('every refusal of a known key is recorded, with its code and without its body', async () => {
    const weak = await createAdmin(keyfold(), 'keys:read');
    const refusals = [
      [
        'permission_denied',
        await keyfold().request('POST', '/v1/projects', { name: 'sk-not-said' }, { key: weak }),
      ],
      ['not_found', await keyfold().request('GET', '/v1/keys/key_none')],
      ['invalid_request', await keyfold().request('POST', '/v1/projects', { name: 'sk-not-said\n' })],
    ] as const;
    const events = await auditEvents(keyfold());
    for (const [code, answer] of refusals) {
      const id = answer.headers.get('x-request-id');
      const event = events.find((each) => each['request_id'] === id);
      assert.deepEqual([event?.['action'], event?.['decision']], ['control.refused', 'denied']);
      assert.deepEqual(event?.['detail'], { code, ...(code === 'invalid_request' ? { param: 'name' } : {}) });
      assert.ok(!JSON.stringify(event).includes('sk-not-said'));
    }
  });

  test('a call is recorded when it opens and when it is settled, and a refused one too', async () => {
    const key = await createKey(keyfold(), { budgets: { total_usd: '1' } });
    const answer = await chat(keyfold(), textAt(key, 'api_key'));
    const refused = await chat(keyfold(), textAt(key, 'api_key'), 'no-such-model');
    const events = await auditEvents(keyfold());
    const actionsOf = (id: string | null) =>
      events.filter((event) => event['request_id'] === id).map(({ action }) => action);
    assert.deepEqual(actionsOf(answer.headers.get('x-request-id')), ['call.settled', 'call.opened']);
    assert.deepEqual(actionsOf(refused.headers.get('x-request-id')), ['call.refused']);
  });

  test('pages meet without gap or overlap, newest first', async () => {
    const all = await auditEvents(keyfold());
    const sequences = all.map(({ sequence }) => Number(sequence));
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => b - a),
    );
    const paged: unknown[] = [];
    let after = '';
    for (let page = 0; page < 5; page++) {
      const answer = await keyfold().request('GET', `/v1/audit/events?limit=3${after}`);
      assert.equal(rowsOf(answer).length, 3);
      paged.push(...rowsOf(answer).map(({ id }) => id));
      after = `&after=${textAt(answer, 'last_id')}`;
    }
    assert.deepEqual(
      paged,
      all.slice(0, 15).map(({ id }) => id),
    );
  });

  test("an organization sees its own records; what is nobody's needs '*'", async () => {
    const stranger = { key: keyfold().strangerKey };
    const made = await keyfold().request('POST', '/v1/projects', { name: 'theirs' }, stranger);
    const theirs = rowsOf(await keyfold().request('GET', '/v1/audit/events?limit=100', undefined, stranger));
    assert.equal(theirs[0]?.['target'], made.body['id']);
    const owners = new Set(theirs.map((event) => event['organization_id']));
    assert.equal(owners.size, 2, 'theirs, and none at all');
    assert.ok(theirs.some(({ action }) => action === 'process.started'));
    const ours = await auditEvents(keyfold());
    assert.ok(ours.every(({ target }) => target !== made.body['id']));
    const reader = { key: await createAdmin(keyfold(), 'audit:read') };
    const read = rowsOf(await keyfold().request('GET', '/v1/audit/events?limit=100', undefined, reader));
    assert.equal(new Set(read.map((event) => event['organization_id'])).size, 1);
    assert.ok(read.every(({ action }) => action !== 'process.started'));
  });

  test('a question that is not sound is refused', async () => {
    for (const query of [
      'after=1',
      'after=a-b',
      'before=1-1',
      'limit=0',
      'q=%25%27',
      `after=${'9'.repeat(20)}-1`,
    ]) {
      assertProblem(await keyfold().request('GET', `/v1/audit/events?${query}`), {
        status: 400,
        code: 'invalid_request',
      });
    }
  });
});
