import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mock, test } from 'node:test';
import { signedFetch } from '@keyfold/sdk';
import OpenAI from 'openai';
import { Ledger, STALE } from '../../src/ledger/ledger.ts';
import { textAt } from '../control/support.ts';
import { MODEL, addModel, assertRefused, callsOf, describeGateway, until } from '../gateway/support.ts';
import { rawPublicKey } from './signer.ts';
import {
  CHAT,
  type Draft,
  SCHEMES,
  type Signer,
  VERSION_OF,
  assertInvalidSignature,
  call,
  chatText,
  createSigner,
  draftChat,
  draftGet,
  macV2,
  send,
  sign,
  withHeader,
} from './support.ts';

const LIVE = { kind: 'live' };
const TO_PROVIDER = { body: chatText({ model: MODEL }) };

describeGateway('a signed request', {}, (gateway) => {
  const url = () => gateway().keyfold.url;

  for (const scheme of SCHEMES) {
    test(`by ${scheme} is served, whole and streamed, and the same bytes never again`, async () => {
      const signer = await createSigner(gateway(), scheme, LIVE);
      const before = gateway().provider.calls.length;
      const wire = sign(signer, draftChat(url(), { ...TO_PROVIDER, query: 'a=1&b=%2F+2' }));
      const answer = await send(url(), wire);
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.text, /Hello from the provider\./);
      assertInvalidSignature(await send(url(), wire));
      assertInvalidSignature(await send(url(), wire));

      const body = chatText({ model: MODEL, stream: true });
      const streamed = sign(signer, draftChat(url(), { body, idempotencyKey: 'idem-1' }));
      const events = await send(url(), streamed);
      assert.equal(events.status, 200, events.text);
      assert.match(events.text, /\ndata: \[DONE\]\n\n$/);
      assertInvalidSignature(await send(url(), streamed));
      assert.equal(gateway().provider.calls.length, before + 2);
    });

    test(`by ${scheme} that a later step denies is used up: its bytes are then refused for their signature`, async () => {
      await addModel(gateway(), { name: `dear-${scheme.replace(' ', '-')}`, input: '0', output: '1000' });
      const dear = `dear-${scheme.replace(' ', '-')}`;
      const denials: readonly [object, string, { status: number; code: string }][] = [
        [{ models: ['gpt-*'] }, chatText({ model: MODEL }), { status: 403, code: 'model_not_allowed' }],
        [
          { budgets: { total_usd: '0.001' } },
          chatText({ model: dear }),
          { status: 402, code: 'budget_exhausted' },
        ],
        [{}, '{"model":', { status: 400, code: 'invalid_request' }],
        [{}, chatText({ model: 'no-such-model' }), { status: 404, code: 'model_not_found' }],
        [
          { permissions: ['embeddings'] },
          chatText({ model: MODEL }),
          { status: 403, code: 'permission_denied' },
        ],
        [
          { networks: ['10.0.0.0/8'] },
          chatText({ model: MODEL }),
          { status: 403, code: 'network_not_allowed' },
        ],
      ];
      const before = gateway().provider.calls.length;
      for (const [rules, body, denial] of denials) {
        const signer = await createSigner(gateway(), scheme, { ...LIVE, ...rules });
        const wire = sign(signer, draftChat(url(), { body }));
        assertRefused(await send(url(), wire), denial);
        assertInvalidSignature(await send(url(), wire));
        assertInvalidSignature(await send(url(), wire));
      }
      assert.equal(gateway().provider.calls.length, before);
    });

    test(`by ${scheme} of which 30 copies meet an empty budget at once is denied once, and 29 times replayed`, async () => {
      const name = `copied-${scheme.replace(' ', '-')}`;
      await addModel(gateway(), { name, input: '0', output: '1000' });
      const signer = await createSigner(gateway(), scheme, { ...LIVE, budgets: { total_usd: '0.001' } });
      const wire = sign(signer, draftChat(url(), { body: chatText({ model: name }) }));
      const answers = await Promise.all(Array.from({ length: 30 }, () => send(url(), wire)));
      const statuses = answers.map(({ status }) => status).sort();
      assert.deepEqual(statuses, [...Array.from({ length: 29 }, () => 401), 402]);
    });

    test(`by ${scheme} that a rate limit refuses is used up`, async () => {
      const signer = await createSigner(gateway(), scheme, { rate_limit: 1 });
      assert.equal((await call(url(), signer)).status, 200);
      const wire = sign(signer, draftChat(url()));
      assertRefused(await send(url(), wire), { status: 429, code: 'rate_limit_exceeded' });
      assertInvalidSignature(await send(url(), wire));
    });

    test(`by ${scheme}: a key that requires it refuses its bearer key alone, everywhere`, async () => {
      const { keyfold } = gateway();
      const signer = await createSigner(gateway(), scheme);
      const options = { key: signer.apiKey };
      assertRefused(await keyfold.request('POST', CHAT, chatText(), options), {
        status: 401,
        code: 'invalid_signature',
      });
      for (const path of ['/v1/keys/validate', '/v1/models', '/v1/usage/current']) {
        const answer = await keyfold.request('GET', path, undefined, options);
        assert.equal(answer.status, 401, answer.text);
        assert.match(answer.text, /"code":"invalid_signature"/);
      }
      const { status } = await keyfold.request('POST', '/v1/keys/self/children', {}, options);
      assert.equal(status, 401);
    });

    test(`by ${scheme} is not accepted from a key that does not sign`, async () => {
      const { keyfold } = gateway();
      const signer = await createSigner(gateway(), scheme);
      const patched = await keyfold.request('PATCH', `/v1/keys/${signer.id}`, { signing: null });
      assert.equal(patched.status, 200, patched.text);
      assertInvalidSignature(await call(url(), signer));
      const bearer = await keyfold.request('POST', CHAT, chatText(), { key: signer.apiKey });
      assert.equal(bearer.status, 200, bearer.text);
    });

    test(`by ${scheme} is verified where the key does not require it, which also accepts its bearer key`, async () => {
      const { keyfold } = gateway();
      const signer = await createSigner(gateway(), scheme, { signing: { required: false } });
      const wire = sign(signer, draftChat(url()));
      assertInvalidSignature(await send(url(), { ...wire, body: Buffer.from(chatText({ n: 2 })) }));
      assert.equal((await send(url(), wire)).status, 200);
      assertInvalidSignature(await send(url(), wire));
      const bearer = await keyfold.request('POST', CHAT, chatText(), { key: signer.apiKey });
      assert.equal(bearer.status, 200, bearer.text);
      const hollow = withHeader({ ...wire, headers: [...wire.headers] }, 'X-Signature', '');
      assertInvalidSignature(await send(url(), withHeader(hollow, 'Signature', '')));
    });

    test(`by ${scheme} on /v1/keys/validate and /v1/models is served once`, async () => {
      const signer = await createSigner(gateway(), scheme);
      const models = sign(signer, draftGet(url(), '/v1/models'));
      assert.equal((await send(url(), models)).status, 200);
      assertInvalidSignature(await send(url(), models));
      const wire = sign(signer, draftGet(url(), '/v1/keys/validate'));
      const answer = await send(url(), wire);
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual([answer.body['valid'], answer.body['key_id']], [true, signer.id]);
      const again = await send(url(), wire);
      assert.deepEqual([again.status, again.body['valid']], [401, false], again.text);
      assert.deepEqual((again.body['error'] as { code: string }).code, 'invalid_signature');
    });
  }

  for (const scheme of SCHEMES.filter((each) => each !== 'v1')) {
    test(`by ${scheme} covers the Idempotency-Key: none added, changed or taken away holds`, async () => {
      const signer = await createSigner(gateway(), scheme);
      const plain = sign(signer, draftChat(url()));
      assertInvalidSignature(
        await send(url(), { ...plain, headers: [...plain.headers, ['Idempotency-Key', 'idem-1']] }),
      );
      const keyed = sign(signer, draftChat(url(), { idempotencyKey: 'idem-1' }));
      assertInvalidSignature(await send(url(), withHeader(keyed, 'Idempotency-Key', 'idem-2')));
      assertInvalidSignature(await send(url(), withHeader(keyed, 'Idempotency-Key', undefined)));
      assert.equal((await send(url(), plain)).status, 200);
      assert.equal((await send(url(), keyed)).status, 200);
    });

    test(`by ${scheme} manages keys where the admin key requires it, and only so`, async () => {
      const { keyfold } = gateway();
      const admin = await createSigner(gateway(), scheme, { kind: 'admin', permissions: ['*'] });
      const list = sign(admin, draftGet(url(), '/v1/keys', { query: 'limit=1' }));
      const listed = await send(url(), list);
      assert.equal(listed.status, 200, listed.text);
      assert.equal((listed.body['data'] as unknown[]).length, 1);
      assertSignatureProblem(await send(url(), list));

      const body = JSON.stringify({ permissions: ['chat'], name: 'made by a signed request' });
      const create = sign(
        admin,
        draftChat(url(), { path: '/v1/keys', body, idempotencyKey: `of ${scheme}` }),
      );
      const created = await send(url(), create);
      assert.equal(created.status, 400, 'an Idempotency-Key has no blank');
      const named = draftChat(url(), { path: '/v1/keys', body, idempotencyKey: `of-${admin.id}` });
      const made = await send(url(), sign(admin, named));
      assert.equal(made.status, 201, made.text);
      // A repetition is signed anew, and gets the first answer.
      const again = await send(url(), sign(admin, { ...named, nonce: draftChat(url()).nonce }));
      assert.deepEqual([again.status, again.text], [201, made.text]);

      const id = String(made.body['id']);
      const removal = sign(admin, draftGet(url(), `/v1/keys/${id}`, { method: 'DELETE' }));
      assertSignatureProblem(await send(url(), { ...removal, target: `/v1/keys/${admin.id}` }));
      assertSignatureProblem(
        await send(url(), { ...sign(admin, draftGet(url(), `/v1/keys/${id}`)), method: 'DELETE' }),
      );
      assert.equal((await send(url(), removal)).status, 200);
      for (const [method, path] of [
        ['GET', '/v1/keys'],
        ['POST', '/v1/keys'],
        ['DELETE', `/v1/keys/${id}`],
      ] as const) {
        const unsigned = await keyfold.request(
          method,
          path,
          method === 'POST' ? body : undefined,
          admin.apiKey,
        );
        assert.deepEqual([unsigned.status, unsigned.body['code']], [401, 'invalid_signature'], unsigned.text);
      }
    });
  }

  test('by v1 is refused on the management API, which asks for more than a body that is signed', async () => {
    const signer = await createSigner(gateway(), 'v1', { signing: { versions: ['1', '2'] } });
    for (const [method, path] of [
      ['GET', '/v1/usage/current'],
      ['GET', '/v1/keys'],
      ['POST', '/v1/keys'],
      ['POST', '/v1/keys/self/rotate'],
      ['POST', '/v1/keys/self/children'],
    ] as const) {
      const answer = await send(url(), sign(signer, draftGet(url(), path, { method })));
      assert.equal(answer.status, 401, `${path} ${answer.text}`);
      assert.match(answer.text, /"code":"invalid_signature"/);
    }
    const byV2: Signer = { ...signer, scheme: 'v2' };
    assert.equal((await send(url(), sign(byV2, draftGet(url(), '/v1/usage/current')))).status, 200);
    const refused = await gateway().keyfold.request('POST', '/v1/keys', {
      kind: 'admin',
      permissions: ['*'],
      signing: { required: true, versions: ['1'] },
    });
    assert.deepEqual([refused.status, refused.body['param']], [400, 'signing.versions'], refused.text);
  });

  test('with a Host in capitals and in another order of headers is the same request', async () => {
    const signer = await createSigner(gateway(), 'v2');
    const wire = sign(signer, draftChat(url(), { host: 'GW.Example:8443' }));
    assert.equal((await send(url(), { ...wire, headers: wire.headers.toReversed() })).status, 200);
  });

  test('from the SDK reaches the provider, each time with a nonce of its own', async () => {
    for (const scheme of SCHEMES) {
      const signer = await createSigner(gateway(), scheme, LIVE);
      const sendSigned = signedFetch(await credentialsOf(signer));
      for (let turn = 0; turn < 2; turn++) {
        const response = await sendSigned(`${url()}${CHAT}?turn=${turn}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': `idem-${turn}` },
          body: TO_PROVIDER.body,
        });
        assert.equal(response.status, 200, `${scheme} ${await response.text()}`);
        await response.arrayBuffer().catch(() => undefined);
      }
    }
  });

  test("from OpenAI's own client with the SDK's fetch is served, whole and streamed", async () => {
    const signer = await createSigner(gateway(), 'v2', LIVE);
    const client = new OpenAI({
      baseURL: `${url()}/v1`,
      apiKey: 'unused',
      fetch: signedFetch({ version: '2', keyId: signer.id, signingSecret: signer.secret }),
      maxRetries: 0,
    });
    const chat = { model: MODEL, max_tokens: 10, messages: [{ role: 'user' as const, content: 'Hello' }] };
    const whole = await client.chat.completions.create(chat);
    assert.equal(whole.choices[0]?.message.content, 'Hello from the provider.');
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...chat, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    assert.equal(text, 'Hello from the provider.');
    assert.equal((await client.models.list()).data.length > 0, true);
    const calls = await until(async () => {
      const rows = await callsOf(gateway(), { id: signer.id, secret: '' });
      return rows.length === 2 ? rows : undefined;
    });
    assert.deepEqual(
      calls.map((row) => row['status']),
      [200, 200],
    );
  });

  test("from the SDK with a clock that is an hour off is signed again by the server's time, and served", async () => {
    const signer = await createSigner(gateway(), 'v2', LIVE);
    const sendSigned = signedFetch({
      version: '2',
      keyId: signer.id,
      signingSecret: signer.secret,
      nowMs: () => Date.now() - 3_600_000,
    });
    const response = await sendSigned(`${url()}${CHAT}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: TO_PROVIDER.body,
    });
    assert.equal(response.status, 200, await response.text());
  });

  test('is still its own first when the organization changes while it is decided: 200 of 200 beside 50 changes', async (context) => {
    const { keyfold } = gateway();
    const signers = await Promise.all(SCHEMES.map((scheme) => createSigner(gateway(), scheme)));
    const other = await keyfold.request('POST', '/v1/keys', { permissions: ['chat'] });
    const reserve = mock.method(Ledger.prototype, 'reserve');
    const change = async () => {
      for (let turn = 0; turn < 50; turn++) {
        const path = `/v1/keys/${textAt(other, 'id')}`;
        const patched = await keyfold.request('PATCH', path, { name: `turn ${turn}` });
        assert.equal(patched.status, 200, patched.text);
      }
    };
    const statuses: number[] = [];
    const ask = async (worker: number) => {
      for (let turn = 0; turn < 10; turn++) {
        const answer = await call(url(), signers[worker % signers.length] as Signer);
        statuses.push(answer.status);
      }
    };
    await Promise.all([change(), ...Array.from({ length: 20 }, (_, worker) => ask(worker))]);
    reserve.mock.restore();
    const reservations = await Promise.all(reserve.mock.calls.map(async ({ result }) => result));
    const stale = reservations.filter((each) => each === STALE).length;
    assert.ok(stale > 0, 'no call was decided anew');
    context.diagnostic(`${stale} times a call was decided anew`);
    assert.deepEqual(
      statuses,
      Array.from({ length: 200 }, () => 200),
    );
  });
});

describeGateway('a rotation of what a key signs with', {}, (gateway) => {
  const url = () => gateway().keyfold.url;
  const rotate = async (signer: Signer, body: object): Promise<string> => {
    const path = `/v1/keys/${signer.id}/signing-secret/rotate`;
    const rotated = await gateway().keyfold.request('POST', path, body);
    assert.equal(rotated.status, 200, rotated.text);
    return (rotated.body['signing_secret'] as string | undefined) ?? '';
  };

  for (const scheme of SCHEMES.filter((each) => each !== 'rfc9421 ed25519')) {
    test(`leaves the old secret and the new one good for the grace, by ${scheme}`, async () => {
      const old = await createSigner(gateway(), scheme);
      const fresh = { ...old, secret: await rotate(old, { grace_seconds: 3_600 }) };
      assert.notEqual(fresh.secret, old.secret);
      for (const signer of [old, fresh, old]) assert.equal((await call(url(), signer)).status, 200);
      assertInvalidSignature(await call(url(), { ...old, secret: `${old.secret}x` }));
    });

    test(`ends the old secret at once where the grace is 0, by ${scheme}`, async () => {
      const old = await createSigner(gateway(), scheme);
      assert.equal((await call(url(), old)).status, 200);
      const fresh = { ...old, secret: await rotate(old, { grace_seconds: 0 }) };
      assertInvalidSignature(await call(url(), old));
      assert.equal((await call(url(), fresh)).status, 200);
      const third = { ...old, secret: await rotate(old, { grace_seconds: 0 }) };
      for (const ended of [old, fresh]) assertInvalidSignature(await call(url(), ended));
      assert.equal((await call(url(), third)).status, 200);
    });
  }

  test('ends the old secret once its grace is over', async () => {
    const old = await createSigner(gateway(), 'v2');
    const fresh = { ...old, secret: await rotate(old, { grace_seconds: 1 }) };
    assert.equal((await call(url(), old)).status, 200);
    const ended = await until(async () => {
      const answer = await call(url(), old);
      return answer.status === 200 ? undefined : answer;
    });
    assertInvalidSignature(ended);
    assert.equal((await call(url(), fresh)).status, 200);
  });

  test('may be signed over with both, in either order and once; neither of two wrong ones helps the other', async () => {
    const old = await createSigner(gateway(), 'v2');
    const draft = () => draftChat(url());
    const sendBoth = (of: Draft, ...macs: readonly string[]) =>
      send(url(), withHeader(sign(old, of), 'X-Signature', macs.join(' ')));
    const fresh = { ...old, secret: await rotate(old, { grace_seconds: 3_600 }) };
    for (const signers of [
      [old, fresh],
      [fresh, old],
    ]) {
      const of = draft();
      const macs = signers.map((signer) => macV2(signer, of));
      assert.equal((await sendBoth(of, ...macs)).status, 200);
      assertInvalidSignature(await sendBoth(of, ...macs));
      // Nor with one of them left out: what was used up is the nonce.
      for (const mac of macs) assertInvalidSignature(await sendBoth(of, mac));
    }
    await rotate(old, { grace_seconds: 0 });
    const of = draft();
    assertInvalidSignature(await sendBoth(of, macV2(old, of), macV2(fresh, of)));
  });

  test('gives an Ed25519 key another public key; the server never has the private one', async () => {
    const old = await createSigner(gateway(), 'rfc9421 ed25519');
    assert.equal((await call(url(), old)).status, 200);
    const pair = generateKeyPairSync('ed25519');
    const secret = await rotate(old, { grace_seconds: 0, public_key: rawPublicKey(pair.publicKey) });
    assert.equal(secret, '');
    assertInvalidSignature(await call(url(), old));
    assert.equal((await call(url(), { ...old, privateKey: pair.privateKey })).status, 200);
    const scalar = String(pair.privateKey.export({ format: 'jwk' }).d);
    assert.ok(!(await gateway().keyfold.readStored()).includes(scalar));
  });

  test('leaves no signing secret in the database as it is', async () => {
    const old = await createSigner(gateway(), 'v2');
    const fresh = await rotate(old, { grace_seconds: 60 });
    const stored = await gateway().keyfold.readStored();
    assert.ok(!stored.includes(old.secret) && !stored.includes(fresh));
    assert.ok(stored.includes(old.id));
  });
});

function assertSignatureProblem(answer: {
  readonly status: number;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}): void {
  assert.deepEqual([answer.status, answer.body['code']], [401, 'invalid_signature'], answer.text);
  assert.equal(answer.body['detail'], 'The request must be signed, and this signature does not hold.');
}

async function credentialsOf(signer: Signer): Promise<Parameters<typeof signedFetch>[0]> {
  const { id: keyId, secret: signingSecret } = signer;
  const version = VERSION_OF[signer.scheme];
  if (version === '1') return { version, apiKey: signer.apiKey, signingSecret };
  if (version === '2') return { version, keyId, signingSecret };
  if (signer.privateKey === undefined) return { version, keyId, signingSecret };
  const pkcs8 = signer.privateKey.export({ format: 'der', type: 'pkcs8' });
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'Ed25519' }, false, ['sign']);
  return { version, keyId, privateKey };
}
