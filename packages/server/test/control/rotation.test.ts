import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { Answer, TestKeyfold } from '../keyfold.ts';
import {
  assertProblem,
  chat,
  createAdmin,
  createKey,
  describeOnEachDatabase,
  findEvent,
  textAt,
} from './support.ts';

const AUTOMATIC = { auto_rotate: true, rotation_interval: 3_600 };

const renew = (keyfold: TestKeyfold, key: string, options: object = {}): Promise<Answer> =>
  keyfold.request('POST', '/v1/keys/self/rotate', {}, { key, ...options });

async function versionsOf(keyfold: TestKeyfold, id: string) {
  const shown = await keyfold.request('GET', `/v1/keys/${id}`);
  return shown.body['versions'] as {
    version: number;
    uses: number;
    last_used_at: string | null;
    rotation_id: string;
  }[];
}

describeOnEachDatabase('rotation', (keyfold) => {
  test('a key that rotates automatically renews itself, and its calls go on with both versions', async () => {
    const key = await createKey(keyfold(), AUTOMATIC);
    const old = textAt(key, 'api_key');
    const renewed = await renew(keyfold(), old);
    assert.equal(renewed.status, 200, renewed.text);
    assert.equal(renewed.body['key_id'], key['id']);
    const life = Date.parse(textAt(renewed, 'expires_at')) - Date.now();
    assert.ok(life > 3_890_000 && life <= 3_900_000, 'the interval and the grace');
    for (const secret of [old, textAt(renewed, 'new_api_key')]) {
      assert.equal((await chat(keyfold(), secret)).status, 200);
    }
    const event = await findEvent(keyfold(), { action: 'key.rotated', target: textAt(key, 'id') });
    assert.equal(event['actor'], key['id']);
  });

  test('whose renewal was answered into the void renews again; what nobody got is over', async () => {
    const key = await createKey(keyfold(), AUTOMATIC);
    const lost = textAt(await renew(keyfold(), textAt(key, 'api_key')), 'new_api_key');
    const again = await renew(keyfold(), textAt(key, 'api_key'));
    assert.equal(again.status, 200, again.text);
    assert.equal((await chat(keyfold(), lost)).status, 401);
    assert.equal((await chat(keyfold(), textAt(again, 'new_api_key'))).status, 200);
  });

  test('once the newer version is in use the older renews nothing: a thief with it is found out', async () => {
    const key = await createKey(keyfold(), AUTOMATIC);
    const renewed = await renew(keyfold(), textAt(key, 'api_key'));
    assert.equal((await chat(keyfold(), textAt(renewed, 'new_api_key'))).status, 200);
    assertProblem(await renew(keyfold(), textAt(key, 'api_key')), { status: 409, code: 'conflict' });
    const event = await findEvent(keyfold(), {
      action: 'control.refused',
      target: 'POST /v1/keys/self/rotate',
    });
    assert.equal(event['actor'], key['id']);
  });

  test('a rotation that is repeated with its Idempotency-Key gives the same key, also after the old one ended', async () => {
    const key = await createKey(keyfold(), AUTOMATIC);
    const options = { headers: { 'idempotency-key': `renewal-${textAt(key, 'id')}` } };
    const first = await renew(keyfold(), textAt(key, 'api_key'), options);
    const second = await renew(keyfold(), textAt(key, 'api_key'), options);
    assert.deepEqual(second.body, first.body);
    assert.equal((await versionsOf(keyfold(), textAt(key, 'id'))).length, 2);
  });

  test('only a key that rotates automatically, or may rotate keys, renews itself', async () => {
    const plain = textAt(await createKey(keyfold()), 'api_key');
    assertProblem(await renew(keyfold(), plain), { status: 403, code: 'permission_denied' });
    const admin = await createAdmin(keyfold(), 'keys:rotate');
    assert.equal((await renew(keyfold(), admin)).status, 200);
  });

  test('it is seen which version is used, how often and when', async () => {
    const key = await createKey(keyfold());
    const id = textAt(key, 'id');
    for (let call = 0; call < 3; call++) await chat(keyfold(), textAt(key, 'api_key'));
    const rotated = await keyfold().request('POST', `/v1/keys/${id}/rotate`);
    await chat(keyfold(), textAt(rotated, 'new_api_key'));
    // What is counted is written every few seconds; a change of a version's end writes it at once.
    await keyfold().request('PATCH', `/v1/keys/${id}/versions/1`, { grace_seconds: 60 });
    const [newest, oldest] = await versionsOf(keyfold(), id);
    assert.deepEqual([newest?.uses, oldest?.uses], [1, 3]);
    assert.ok(Date.parse(oldest?.last_used_at ?? '') <= Date.parse(newest?.last_used_at ?? ''));
    assert.equal(newest?.rotation_id, rotated.body['rotation_id']);
  });

  test('a grace can be prolonged and cut short, and nothing brings an ended version back', async () => {
    const key = await createKey(keyfold());
    const path = `/v1/keys/${textAt(key, 'id')}`;
    await keyfold().request('POST', `${path}/rotate`, { grace_seconds: 1 });
    const prolonged = await keyfold().request('PATCH', `${path}/versions/1`, { grace_seconds: 3_600 });
    assert.equal(prolonged.status, 200, prolonged.text);
    const ends = (prolonged.body['versions'] as { expires_at: string }[]).map((each) => each.expires_at);
    assert.ok(Date.parse(ends[1] ?? '') > Date.now() + 3_500_000);
    assert.equal((await keyfold().request('PATCH', `${path}/versions/1`, { grace_seconds: 0 })).status, 200);
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'))).status, 401);
    for (const [version, status] of [
      [1, 409],
      [3, 404],
      ['x', 400],
    ] as const) {
      const answer = await keyfold().request('PATCH', `${path}/versions/${version}`, { grace_seconds: 10 });
      assert.equal(answer.status, status, answer.text);
    }
  });

  test('twins of one rotation that are under way together get one answer', async () => {
    for (let round = 0; round < 10; round++) {
      const key = await createKey(keyfold());
      const path = `/v1/keys/${textAt(key, 'id')}/rotate`;
      const options = { headers: { 'idempotency-key': `twins-${textAt(key, 'id')}` } };
      const twins = await Promise.all(
        Array.from({ length: 4 }, () => keyfold().request('POST', path, {}, options)),
      );
      for (const twin of twins) assert.deepEqual([twin.status, twin.body], [200, twins[0]?.body]);
    }
  });

  test('a signing secret is rotated with a grace, which can be cut short', async () => {
    const key = await createKey(keyfold(), { signing: { required: false } });
    const path = `/v1/keys/${textAt(key, 'id')}`;
    const rotated = await keyfold().request('POST', `${path}/signing-secret/rotate`);
    assert.match(textAt(rotated, 'signing_secret'), /^kf_sig_/);
    const refused = await keyfold().request('POST', `${path}/signing-secret/rotate`);
    assertProblem(refused, { status: 409, code: 'conflict' });
    assert.equal(refused.body['version_in_grace'], 1);
    assert.ok(Number(refused.headers.get('retry-after')) > 290);
    const ended = await keyfold().request('PATCH', `${path}/signing-secrets/1`, { grace_seconds: 0 });
    assert.equal(ended.status, 200, ended.text);
    assert.equal((await keyfold().request('POST', `${path}/signing-secret/rotate`)).status, 200);
  });

  test('what is not named of a signing policy stays', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const signing = { algorithm: 'ed25519', public_key: publicKey.export({ format: 'jwk' }).x };
    const key = await createKey(keyfold(), { signing });
    const changed = await keyfold().request('PATCH', `/v1/keys/${textAt(key, 'id')}`, {
      signing: { required: false },
    });
    assert.equal(changed.status, 200, changed.text);
    const { required, versions, algorithm } = changed.body['signing'] as Record<string, unknown>;
    assert.deepEqual([required, versions, algorithm], [false, ['rfc9421'], 'ed25519']);
    const wrong = await keyfold().request('POST', `/v1/keys/${textAt(key, 'id')}/signing-secret/rotate`);
    assertProblem(wrong, { status: 400, code: 'invalid_request', param: 'public_key' });
  });

  test('a key that is not valid yet says so, and works from then on', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    const key = await createKey(keyfold(), { not_before: tomorrow });
    const early = await chat(keyfold(), textAt(key, 'api_key'));
    assert.equal((early.body['error'] as { code: string }).code, 'key_not_yet_valid');
    await keyfold().request('PATCH', `/v1/keys/${textAt(key, 'id')}`, { not_before: null });
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'))).status, 200);
    const never = await keyfold().request('POST', '/v1/keys', {
      permissions: ['chat'],
      not_before: tomorrow,
      expires_at: new Date(Date.now() + 60_000).toISOString(),
    });
    assertProblem(never, { status: 400, code: 'invalid_request', param: 'not_before' });
  });

  test('a key that could sign its renewal in no accepted way is not made to rotate automatically', async () => {
    const answer = await keyfold().request('POST', '/v1/keys', {
      permissions: ['chat'],
      ...AUTOMATIC,
      signing: { versions: ['1'] },
    });
    assertProblem(answer, { status: 400, code: 'invalid_request', param: 'auto_rotate' });
  });

  test('of a key that was rotated often the page shows what lives and the last of what ended', async () => {
    const key = await createKey(keyfold());
    const path = `/v1/keys/${textAt(key, 'id')}`;
    for (let rotation = 0; rotation < 30; rotation++) {
      await keyfold().request('POST', `${path}/rotate`, { grace_seconds: 0 });
    }
    const versions = await versionsOf(keyfold(), textAt(key, 'id'));
    assert.deepEqual([versions[0]?.version, versions.length], [31, 20]);
  });

  test('a signing policy that makes no sense is refused by the field that is wrong', async () => {
    for (const [signing, problem] of [
      [{ versions: ['1'] }, 'signing.versions'],
      [{ algorithm: 'ed25519' }, 'signing.public_key'],
      [{ algorithm: 'ed25519', public_key: 'x' }, 'signing.public_key'],
      [{ public_key: 'A'.repeat(43) }, 'signing.public_key'],
      [{ versions: ['2', '2'] }, 'signing.versions'],
      [{ versions: ['3'] }, 'signing.versions.0'],
    ] as const) {
      const answer = await keyfold().request('POST', '/v1/keys', {
        kind: 'admin',
        permissions: ['keys:read'],
        signing,
      });
      assertProblem(answer, { status: 400, code: 'invalid_request', param: problem });
    }
  });
});
