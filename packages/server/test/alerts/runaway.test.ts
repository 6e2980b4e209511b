import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { addProvider, auditEvents, rowsOf, textAt } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import { startMockProvider } from '../mock-provider.ts';
import { isSignedWith, startReceiver } from './receiver.ts';
import { addUsualKey } from './usual-key.ts';

const DOLLAR = 1_000_000_000n;
/** A call of fifty cents so often is a hundred dollars a minute. */
const CALL_EVERY_MS = 300;
const OUTPUT_TOKENS = 10;
const SUSPENDED_WITHIN_MS = 10_000;
const CALLS_AFTERWARDS = 20;

for (const kind of DATABASE_KINDS) {
  describe(`a key that runs away, on ${kind.name}`, () => {
    test('that spent a dollar an hour and now a hundred a minute from a new network is suspended within ten seconds, and it is told once', async (context) => {
      await using provider = await startMockProvider();
      await using receiver = await startReceiver();
      provider.behave({ kind: 'ok', tokens: { input: 10, output: OUTPUT_TOKENS } });
      let key = { secret: '', id: '' };
      await using keyfold = await startTestKeyfold(
        kind,
        { trustedProxies: ['127.0.0.0/8'], webhookNetworks: ['127.0.0.0/8'] },
        async (config) => {
          key = await addUsualKey(config, { costPerHour: DOLLAR, network: '198.51.100.0/24' });
        },
      );
      await addProvider(keyfold, provider, { name: 'usual' });
      const priced = await keyfold.request('PUT', '/v1/catalog/models/openai-compatible/usual', {
        input_usd_per_million: '0.01',
        output_usd_per_million: '50000',
      });
      assert.equal(priced.status, 200, priced.text);
      const webhook = await keyfold.request('POST', '/v1/webhooks', { name: 'on call', url: receiver.url });
      assert.equal(webhook.status, 201, webhook.text);
      const rule = async (name: string, when: object, action: object) => {
        const webhooks = [textAt(webhook, 'id')];
        const made = await keyfold.request('POST', '/v1/alerts/rules', {
          name,
          when,
          action,
          webhook_ids: webhooks,
        });
        assert.equal(made.status, 201, made.text);
        return textAt(made, 'id');
      };
      const spike = await rule(
        'runaway',
        { kind: 'spend_spike', multiple: 20, min_usd: '2', window_seconds: 60 },
        { kind: 'suspend' },
      );
      const network = await rule('new network', { kind: 'first_seen_network' }, { kind: 'none' });

      const usual = await call(keyfold, key.secret, '198.51.100.7');
      assert.equal(usual.status, 200, usual.text);
      const beganMs = performance.now();
      let suspendedAfterMs = Infinity;
      while (performance.now() - beganMs < SUSPENDED_WITHIN_MS) {
        const answer = await call(keyfold, key.secret, '203.0.113.9');
        if (answer.status !== 200) {
          assert.equal(answer.status, 403, answer.text);
          assert.match(answer.text, /key_suspended/);
          suspendedAfterMs = performance.now() - beganMs;
          break;
        }
        await pause(CALL_EVERY_MS);
      }
      assert.ok(suspendedAfterMs < SUSPENDED_WITHIN_MS, 'it is suspended in time');
      context.diagnostic(`suspended ${(suspendedAfterMs / 1_000).toFixed(2)} s after the first call`);

      const more = await Promise.all(
        Array.from({ length: CALLS_AFTERWARDS }, () => call(keyfold, key.secret, '203.0.113.9')),
      );
      assert.deepEqual([...new Set(more.map(({ status }) => status))], [403]);
      const events = await auditEvents(keyfold);
      const suspended = events.findIndex(
        ({ action, target }) => action === 'key.suspended' && target === key.id,
      );
      assert.ok(suspended >= 0);
      const later = events.slice(0, suspended);
      assert.deepEqual(
        later.filter(({ action }) => action === 'call.opened'),
        [],
      );
      await receiver.arrived(2);
      context.diagnostic(`told ${((performance.now() - beganMs) / 1_000).toFixed(2)} s after the first call`);
      const shown = await keyfold.request('GET', `/v1/keys/${key.id}`);
      assert.partialDeepStrictEqual(shown.body, { breaker: { state: 'suspended', rule_id: spike } });

      // Everything that could still be sent is sent: nothing more comes.
      await pause(1_500);
      const deliveries = rowsOf(await keyfold.request('GET', '/v1/alerts/deliveries'));
      assert.deepEqual(
        deliveries.map(({ state, attempts }) => [state, attempts]),
        [
          ['delivered', 1],
          ['delivered', 1],
        ],
      );
      const told = receiver.received.map(({ body }) => (body.data['rule'] as { id: string }).id);
      assert.deepEqual(told.toSorted(), [network, spike].toSorted());
      const secret = textAt(webhook, 'secret');
      for (const message of receiver.received) {
        assert.ok(isSignedWith(secret, message));
        assert.equal(message.body.data['key_id'], key.id);
      }
      const runaway = receiver.received.find(({ body }) => body.data['done'] === 'suspended');
      assert.equal(runaway?.body.data['baseline_usd'], '0.016666666');
      for (const text of [await keyfold.readStored(), receiver.received.map((each) => each.text).join()]) {
        assert.ok(!text.includes(secret));
        assert.ok(!text.includes(Buffer.from(secret.slice(6), 'base64').toString('latin1')));
        assert.ok(!text.includes(key.secret));
      }

      const resumed = await keyfold.request('POST', `/v1/keys/${key.id}/resume`);
      assert.equal(resumed.status, 200, resumed.text);
      assert.equal(resumed.body['breaker'], null);
      assert.equal((await call(keyfold, key.secret, '203.0.113.9')).status, 200);
      // What it spent before is not held against it again; what it spends from now on is.
      await pause(1_000);
      assert.equal((await call(keyfold, key.secret, '203.0.113.9')).status, 200);
      const again = await keyfold.request('POST', `/v1/keys/${key.id}/resume`);
      assert.equal(again.status, 409);
    });
  });
}

function call(keyfold: TestKeyfold, key: string, address: string) {
  const body = { model: 'usual', max_tokens: OUTPUT_TOKENS, messages: [{ role: 'user', content: 'Hello' }] };
  const headers = { 'x-forwarded-for': address };
  return keyfold.request('POST', '/v1/chat/completions', body, { key, headers });
}
