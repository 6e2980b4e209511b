import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import {
  type Gateway,
  PROVIDER_SECRET,
  assertRefused,
  call,
  callsOf,
  chatBody,
  describeGateway,
  issueKey,
} from './support.ts';

const SLASHED = 'openai/gpt-4.1';

describeGateway('names of models', {}, (gateway) => {
  for (const [name, model] of [
    ['U+0000', 'stand-in\u0000'],
    ['a line end', 'stand-in\n'],
    ['a control character of Latin-1', 'stand\u0085in'],
    ['a mark that turns the text around', 'stand\u202ein'],
    ['a space of no width', 'stand\u200bin'],
  ] as const) {
    test(`with ${name} are refused before anything is held`, async () => {
      for (const kind of ['live', 'test']) {
        const key = await issueKey(gateway(), { kind });
        const answer = await call(gateway(), key.secret, chatBody({ model }));
        assertRefused(answer, { status: 400, code: 'invalid_request', param: 'model' });
        assert.equal((await callsOf(gateway(), key)).length, 0);
      }
    });
  }
});

describeGateway('what a key may call', { kinds: ['sqlite'] }, (gateway) => {
  test("a model whose own name begins as another provider's is not that provider's", async () => {
    const created = await gateway().keyfold.request('POST', '/v1/credentials', {
      provider: 'openai-compatible',
      name: 'slashed',
      secret: PROVIDER_SECRET,
      base_url: gateway().provider.url,
      allow_networks: ['127.0.0.0/8'],
      models: [SLASHED],
    });
    assert.equal(created.status, 201, created.text);
    const qualified = `openai-compatible/${SLASHED}`;
    const visible = async (secret: string) => {
      const { body } = await gateway().keyfold.request('GET', '/v1/models', undefined, secret);
      return (body['data'] as { readonly id: string }[]).some(({ id }) => id === qualified);
    };
    const stranger = await issueKey(gateway(), { models: ['openai/*'] });
    const refused = await call(gateway(), stranger.secret, chatBody({ model: qualified }));
    assertRefused(refused, { status: 403, code: 'model_not_allowed' });
    assert.equal(await visible(stranger.secret), false);

    const allowed = await issueKey(gateway(), { models: ['openai-compatible/openai/*'] });
    assert.equal((await call(gateway(), allowed.secret, chatBody({ model: qualified }))).status, 200);
    assert.equal(await visible(allowed.secret), true);

    const bare = await issueKey(gateway(), { models: ['stand-in'] });
    for (const model of ['stand-in', 'openai-compatible/stand-in'])
      assert.equal((await call(gateway(), bare.secret, chatBody({ model }))).status, 200);
  });

  test('a test key is judged by the name that it asks for, as the live key that it stands in for', async () => {
    const key = await issueKey(gateway(), { kind: 'test', models: ['openai/*'] });
    assert.equal((await call(gateway(), key.secret, chatBody({ model: SLASHED }))).status, 200);
    const other = await call(gateway(), key.secret, chatBody({ model: 'deepseek/v' }));
    assertRefused(other, { status: 403, code: 'model_not_allowed' });
  });

  for (const [what, change, code] of [
    ['its permission', { permissions: ['embeddings'] }, 'permission_denied'],
    ['its network', { networks: ['192.0.2.0/24'] }, 'network_not_allowed'],
    ['its model', { models: ['other'] }, 'model_not_allowed'],
  ] as const) {
    test(`a key that loses ${what} while its call is being read is refused`, async () => {
      const key = await issueKey(gateway());
      assert.equal((await call(gateway(), key.secret)).status, 200);
      const before = gateway().provider.calls.length;
      const started = await startCall(gateway(), key.secret);
      const changed = await gateway().keyfold.request('PATCH', `/v1/keys/${key.id}`, change);
      assert.equal(changed.status, 200, changed.text);
      const answer = await started.finish();
      assertRefused(answer, { status: 403, code });
      assert.equal(gateway().provider.calls.length, before);
    });
  }
});

/** Sends a call's head and half of its body, so that its key has been judged. */
async function startCall({ keyfold }: Gateway, secret: string) {
  const body = JSON.stringify(chatBody());
  const half = Math.floor(body.length / 2);
  const outgoing = request(`${keyfold.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-length': body.length, expect: '100-continue' },
  });
  outgoing.flushHeaders();
  await once(outgoing, 'continue');
  outgoing.write(body.slice(0, half));
  return {
    finish: async () => {
      outgoing.end(body.slice(half));
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
      const answer = await text(incoming);
      return {
        status: incoming.statusCode ?? 0,
        text: answer,
        body: JSON.parse(answer) as Record<string, unknown>,
      };
    },
  };
}
