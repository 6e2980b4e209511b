import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import {
  assertProblem,
  auditEvents,
  chat,
  createAdmin,
  createKey,
  describeOnEachDatabase,
  findEvent,
  rowsOf,
  textAt,
} from './support.ts';

async function setPolicy(keyfold: TestKeyfold, policy: string): Promise<void> {
  const [own] = rowsOf(await keyfold.request('GET', '/v1/organizations'));
  const answer = await keyfold.request('PATCH', `/v1/organizations/${String(own?.['id'])}`, {
    leak_policy: policy,
  });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body['leak_policy'], policy);
}

async function codeOf(keyfold: TestKeyfold, key: string): Promise<string> {
  const answer = await chat(keyfold, key);
  return answer.status === 200 ? 'works' : (answer.body['error'] as { code: string }).code;
}

const report = (keyfold: TestKeyfold, secret: string) =>
  keyfold.request('POST', '/v1/leaks', { secret, url: 'https://example.org/x.env', note: 'in a paste' });

describeOnEachDatabase('a leaked key', (keyfold) => {
  test('is quarantined with every version at once, until somebody lifts it', async () => {
    const key = await createKey(keyfold());
    const id = textAt(key, 'id');
    const rotated = await keyfold().request('POST', `/v1/keys/${id}/rotate`);
    const secrets = [textAt(key, 'api_key'), textAt(rotated, 'new_api_key')];
    const answer = await report(keyfold(), secrets[0] ?? '');
    assert.deepEqual(answer.body, {
      object: 'leak',
      key_id: id,
      kind: 'key',
      version: 1,
      action: 'quarantined',
    });
    for (const secret of secrets) assert.equal(await codeOf(keyfold(), secret), 'key_quarantined');
    const event = await findEvent(keyfold(), { action: 'leak.reported', target: id });
    assert.deepEqual(event['detail'], {
      kind: 'key',
      version: 1,
      done: 'quarantined',
      source: 'api',
      url: 'https://example.org/x.env',
      note: 'in a paste',
    });
    assert.equal((await report(keyfold(), secrets[1] ?? '')).body['action'], 'none', 'it is held already');
    const lifted = await keyfold().request('PATCH', `/v1/keys/${id}`, { quarantined: false });
    assert.equal(lifted.body['quarantined_at'], null);
    assert.equal(await codeOf(keyfold(), secrets[1] ?? ''), 'works');
  });

  test('has all its versions ended where the organization rotates, and comes back with the next rotation', async () => {
    await setPolicy(keyfold(), 'rotate');
    const key = await createKey(keyfold(), { signing: { required: false } });
    const id = textAt(key, 'id');
    const rotated = await keyfold().request('POST', `/v1/keys/${id}/rotate`);
    assert.equal((await report(keyfold(), textAt(key, 'api_key'))).body['action'], 'rotated');
    for (const secret of [textAt(key, 'api_key'), textAt(rotated, 'new_api_key')]) {
      assert.equal(await codeOf(keyfold(), secret), 'key_expired');
    }
    const [signingSecret] = (
      (await keyfold().request('GET', `/v1/keys/${id}`)).body['signing'] as {
        secrets: { expires_at: string }[];
      }
    ).secrets;
    assert.notEqual(signingSecret?.expires_at, null, 'what it signs with has ended, too');
    const fresh = await keyfold().request('POST', `/v1/keys/${id}/rotate`);
    assert.equal(await codeOf(keyfold(), textAt(fresh, 'new_api_key')), 'works');
    assert.match(textAt(fresh, 'signing_secret'), /^kf_sig_/, 'and signs again');
    assert.equal(fresh.body['key_id'], id);
    await setPolicy(keyfold(), 'quarantine');
  });

  test('is revoked for good where the organization says so, and its children fall with it', async () => {
    await setPolicy(keyfold(), 'revoke');
    const key = await createKey(keyfold());
    const child = await keyfold().request('POST', '/v1/keys/self/children', {}, textAt(key, 'api_key'));
    assert.equal(await codeOf(keyfold(), textAt(child, 'api_key')), 'works');
    assert.equal((await report(keyfold(), textAt(key, 'api_key'))).body['action'], 'revoked');
    assert.equal(await codeOf(keyfold(), textAt(key, 'api_key')), 'key_revoked');
    assert.equal(await codeOf(keyfold(), textAt(child, 'api_key')), 'key_revoked');
    await setPolicy(keyfold(), 'quarantine');
  });

  test('is contained although it has expired: its end could be moved', async () => {
    const key = await createKey(keyfold(), { expires_at: new Date(Date.now() + 1_000).toISOString() });
    const id = textAt(key, 'id');
    await keyfold().request('PATCH', `/v1/keys/${id}`, { expires_at: '2020-01-01T00:00:00Z' });
    assert.equal((await report(keyfold(), textAt(key, 'api_key'))).body['action'], 'quarantined');
    await keyfold().request('PATCH', `/v1/keys/${id}`, { expires_at: null });
    assert.equal(await codeOf(keyfold(), textAt(key, 'api_key')), 'key_quarantined');
  });

  test('does no harm when what leaked has ended before', async () => {
    const key = await createKey(keyfold());
    const path = `/v1/keys/${textAt(key, 'id')}/rotate`;
    const rotated = await keyfold().request('POST', path, { grace_seconds: 0 });
    assert.equal((await report(keyfold(), textAt(key, 'api_key'))).body['action'], 'none');
    assert.equal(await codeOf(keyfold(), textAt(rotated, 'new_api_key')), 'works');
    const event = await findEvent(keyfold(), { action: 'leak.reported', target: textAt(key, 'id') });
    assert.equal((event['detail'] as { done: string }).done, 'none', 'and is recorded all the same');
  });

  test('is found by its signing secret as well', async () => {
    const key = await createKey(keyfold(), { signing: { required: true } });
    const answer = await report(keyfold(), textAt(key, 'signing_secret'));
    assert.deepEqual(answer.body, {
      object: 'leak',
      key_id: textAt(key, 'id'),
      kind: 'signing_secret',
      version: 1,
      action: 'quarantined',
    });
  });

  test("is nobody else's business: what is unknown, malformed or foreign is told in the same words", async () => {
    const foreign = textAt(
      await keyfold().request('POST', '/v1/keys', { permissions: ['chat'] }, keyfold().strangerKey),
      'api_key',
    );
    const unknown = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
    const details = [];
    for (const secret of [foreign, unknown, 'nonsense']) {
      const answer = await report(keyfold(), secret);
      assertProblem(answer, { status: 404, code: 'not_found', param: 'secret' });
      details.push(answer.body['detail']);
    }
    assert.equal(new Set(details).size, 1);
    const stays = await chat(keyfold(), foreign);
    assert.equal(stays.status, 200);
    const limited = await createAdmin(keyfold(), 'keys:read');
    const refused = await keyfold().request('POST', '/v1/leaks', { secret: unknown }, limited);
    assertProblem(refused, { status: 403, code: 'permission_denied' });
  });
});

describeOnEachDatabase('a canary key', (keyfold) => {
  test('never works, looks unknown to whoever found it, and raises one alarm however often it is tried', async () => {
    const key = await createKey(keyfold(), { canary: true });
    assert.equal(key['canary'], true);
    const unknown = await chat(keyfold(), 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG');
    for (let time = 0; time < 3; time++) {
      const refused = await chat(keyfold(), textAt(key, 'api_key'));
      assert.deepEqual([refused.status, refused.text], [unknown.status, unknown.text]);
    }
    const validated = await keyfold().request('GET', '/v1/keys/validate', undefined, textAt(key, 'api_key'));
    assert.equal(validated.status, 401);
    const alarms = (await auditEvents(keyfold())).filter(
      ({ action, target }) => action === 'canary.used' && target === textAt(key, 'id'),
    );
    assert.equal(alarms.length, 1);
    assert.equal(alarms[0]?.['address'], '127.0.0.1');
    assert.match((await keyfold().request('GET', '/metrics')).text, /^keyfold_canary_uses_total 1$/m);
  });
});

const IDENTIFIER = 'a-partner-key';

for (const kind of DATABASE_KINDS) {
  describe(`leaks that GitHub reports on ${kind.name}`, () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    let directory = '';
    let keyfold: TestKeyfold;

    before(async () => {
      directory = mkdtempSync(join(tmpdir(), 'keyfold-partner-'));
      const file = join(directory, 'keys.json');
      const key = publicKey.export({ type: 'spki', format: 'pem' });
      writeFileSync(
        file,
        JSON.stringify({ public_keys: [{ key_identifier: IDENTIFIER, key, is_current: true }] }),
      );
      keyfold = await startTestKeyfold(kind, { leakPartnerKeysFile: file });
    });
    after(async () => {
      await keyfold.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    const send = (body: string, by: { signer?: typeof privateKey; id?: string; signed?: string } = {}) =>
      keyfold.request('POST', '/v1/leaks', body, {
        key: null,
        headers: {
          'github-public-key-identifier': by.id ?? IDENTIFIER,
          'github-public-key-signature': sign(
            'sha256',
            Buffer.from(by.signed ?? body),
            by.signer ?? privateKey,
          ).toString('base64'),
        },
      });

    test('are contained whichever organization the key is of, and answered with what each token was', async () => {
      const own = await createKey(keyfold);
      const theirs = await keyfold.request(
        'POST',
        '/v1/keys',
        { permissions: ['chat'] },
        keyfold.strangerKey,
      );
      const unknown = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
      const tokens = [textAt(own, 'api_key'), textAt(theirs, 'api_key'), unknown];
      const body = tokens.map((token) => ({
        token,
        type: 'keyfold_key',
        url: 'https://example.org/',
        source: 'content',
      }));
      const answer = await send(JSON.stringify(body));
      assert.equal(answer.status, 200, answer.text);
      const labels = JSON.parse(answer.text) as { token_hash: string; token_type: string; label: string }[];
      assert.deepEqual(
        labels.map(({ label }) => label),
        ['true_positive', 'true_positive', 'false_positive'],
      );
      assert.equal(
        labels[0]?.token_hash,
        createHash('sha256')
          .update(tokens[0] ?? '')
          .digest('base64'),
      );
      assert.ok(!answer.text.includes(unknown), 'no token comes back');
      for (const token of tokens.slice(0, 2)) assert.equal(await codeOf(keyfold, token), 'key_quarantined');
      const event = await findEvent(keyfold, { action: 'leak.reported', target: textAt(own, 'id') });
      assert.equal(event['actor'], 'system');
      assert.equal((event['detail'] as { source: string }).source, 'github');
    });

    test('are believed only when the listed key has signed these very bytes', async () => {
      const key = await createKey(keyfold);
      const body = JSON.stringify([{ token: textAt(key, 'api_key'), type: 'keyfold_key', url: '' }]);
      const refusals = [
        await send(body, { signer: stranger.privateKey }),
        await send(body, { id: 'another' }),
        await send(body, { signed: `${body} ` }),
      ];
      for (const refused of refusals) assertProblem(refused, { status: 401, code: 'invalid_signature' });
      assert.equal(await codeOf(keyfold, textAt(key, 'api_key')), 'works');
      // Who names no listed key is refused from the head alone: no stranger's body is read.
      const { hostname, port } = new URL(keyfold.url);
      const socket = connect(Number(port), hostname);
      socket.write(
        'POST /v1/leaks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n' +
          'github-public-key-identifier: another\r\ngithub-public-key-signature: AAAA\r\n\r\n[',
      );
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString('utf8'), /^HTTP\/1\.1 401 /);
      socket.destroy();
      assertProblem(await keyfold.request('POST', '/v1/leaks', body, { key: null }), {
        status: 401,
        code: 'invalid_api_key',
      });
    });

    test('that are no list of tokens change nothing', async () => {
      for (const body of ['{}', 'nonsense', '[{"token":1}]', '[[]]']) {
        assertProblem(await send(body), { status: 400, code: 'invalid_request' });
      }
    });
  });
}
