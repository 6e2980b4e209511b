import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import { LEASE_MS } from '../../src/alerts/delivery-store.ts';
import { OF_ORGANIZATION_MAX, PAUSES_S } from '../../src/jobs/deliver-alerts.ts';
import type { Database } from '../../src/storage/database.ts';
import { DATABASE_KINDS, type DatabasePlace } from '../databases.ts';
import { ManualClock } from '../manual-clock.ts';
import { type AlertHouse, found, openAlertHouse } from './alert-house.ts';
import { isSignedWith, startReceiver } from './receiver.ts';

const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

for (const kind of DATABASE_KINDS) {
  describe(`deliveries to webhooks on ${kind.name}`, () => {
    const clock = new ManualClock();
    let place: DatabasePlace;
    let database: Database;
    let house: AlertHouse;

    before(async () => {
      place = await kind.create();
      database = await place.open({ nowMs: () => clock.nowMs() });
      await found(database);
      house = openAlertHouse(database, clock);
    });
    after(async () => {
      await house.webhookPools.destroy();
      await database.close();
      await place.remove();
    });

    const turn = async (of = house) => {
      await of.deliverer.turn();
      await of.deliverer.drain();
    };
    const stateOf = async (id: string) => {
      const delivery = (await house.delivered()).find((each) => each.id === id);
      assert.ok(delivery);
      const { state, attempts, lastStatus, lastError } = delivery;
      return [state, attempts, lastStatus, lastError];
    };

    test('are tried again after growing pauses under one id, until the receiver takes them, and then never', async () => {
      await using receiver = await startReceiver();
      const id = await house.newDelivery(await house.newWebhook(receiver.url));
      receiver.script(500, 503, 200);
      await turn();
      assert.deepEqual(await stateOf(id), ['pending', 1, 500, 'status']);
      await turn();
      assert.equal(receiver.received.length, 1, 'not before its pause is over');
      clock.advance(PAUSES_S[0] * 1_000);
      await turn();
      assert.deepEqual(await stateOf(id), ['pending', 2, 503, 'status']);
      clock.advance(PAUSES_S[0] * 1_000);
      await turn();
      assert.equal(receiver.received.length, 2, 'pauses grow');
      clock.advance(PAUSES_S[1] * 1_000);
      await turn();
      assert.deepEqual(await stateOf(id), ['delivered', 3, 200, undefined]);
      clock.advance(86_400_000);
      await turn();
      assert.deepEqual(
        receiver.received.map((message) => [message.id, isSignedWith(SECRET, message)]),
        [
          [id, true],
          [id, true],
          [id, true],
        ],
      );
    });

    test('end after the last try', async () => {
      await using receiver = await startReceiver();
      const id = await house.newDelivery(await house.newWebhook(receiver.url));
      receiver.script(...PAUSES_S.map(() => 500), 500, 500);
      for (const pauseS of [0, ...PAUSES_S]) {
        clock.advance(pauseS * 1_000);
        await turn();
      }
      assert.deepEqual(await stateOf(id), ['failed', PAUSES_S.length + 1, 500, 'status']);
      clock.advance(86_400_000);
      await turn();
      assert.equal(receiver.received.length, PAUSES_S.length + 1);
    });

    test('to one receiver that does not answer keep no other waiting', async () => {
      await using slow = await startReceiver();
      await using quick = await startReceiver();
      slow.script('silence');
      const slowWebhook = await house.newWebhook(slow.url);
      await house.newDelivery(slowWebhook);
      await house.newDelivery(slowWebhook);
      await house.deliverer.turn();
      await slow.arrived(1);
      const webhook = await house.newWebhook(quick.url);
      const ids = [await house.newDelivery(webhook), await house.newDelivery(webhook)];
      for (let turns = 0; quick.received.length < 2; turns++) {
        assert.ok(turns < 1_000);
        await house.deliverer.turn();
        await database.barrier();
      }
      assert.deepEqual(quick.received.map(({ id }) => id).toSorted(), ids.toSorted());
      assert.equal(slow.received.length, 1, 'one at a time');
      await slow.stop();
      await house.deliverer.drain();
    });

    test('to many receivers of one organization that do not answer keep no other organization waiting', async () => {
      await using slow = await startReceiver();
      await using quick = await startReceiver();
      const stalled = 40;
      slow.script(...Array.from({ length: stalled }, () => 'silence' as const));
      for (let count = 0; count < stalled; count++) await house.newDelivery(await house.newWebhook(slow.url));
      // What another test has left for a receiver that is no more ends by itself.
      for (let turns = 0; slow.received.length < OF_ORGANIZATION_MAX; turns++) {
        assert.ok(turns < 1_000);
        await house.deliverer.turn();
        await database.barrier();
      }
      const other = await house.newWebhook(quick.url, 'org_other' as Id<'organization'>);
      const id = await house.newDelivery(other);
      for (let turns = 0; quick.received.length < 1; turns++) {
        assert.ok(turns < 1_000);
        await house.deliverer.turn();
        await database.barrier();
      }
      assert.equal(quick.received[0]?.id, id);
      assert.equal(slow.received.length, OF_ORGANIZATION_MAX);
      await slow.stop();
      await house.deliverer.drain();
      // What they have not taken is nobody else's matter.
      await database.commit({ steps: [database.step((db) => db.deleteFrom('webhook_deliveries'))] });
    });

    test('are sent by one of two processes', async () => {
      await using receiver = await startReceiver();
      // SQLite serves one process; there two deliverers meet on one database.
      const second = kind.name === 'postgres' ? await place.open({ nowMs: () => clock.nowMs() }) : database;
      const other = openAlertHouse(second, clock);
      const id = await house.newDelivery(await house.newWebhook(receiver.url));
      await Promise.all([turn(), turn(other)]);
      await Promise.all([turn(), turn(other)]);
      assert.deepEqual(
        receiver.received.map((message) => message.id),
        [id],
      );
      await other.webhookPools.destroy();
      if (second !== database) await second.close();
    });

    test('that a process died over are sent by the next, once its lease is over', async () => {
      await using receiver = await startReceiver();
      const id = await house.newDelivery(await house.newWebhook(receiver.url));
      const [delivery] = (await house.delivered()).filter((each) => each.id === id);
      assert.ok(delivery);
      assert.equal(await house.deliveries.lease(delivery, clock.nowMs()), true);
      assert.equal(await house.deliveries.lease(delivery, clock.nowMs()), false);
      await turn();
      assert.equal(receiver.received.length, 0);
      clock.advance(LEASE_MS);
      await turn();
      assert.deepEqual(await stateOf(id), ['delivered', 2, 200, undefined]);
    });

    test('that were taken are not sent again, although that could not be written down at once', async () => {
      await using receiver = await startReceiver();
      const id = await house.newDelivery(await house.newWebhook(receiver.url));
      let failures = 2;
      const faulty = new Proxy(database, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name, target);
          if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value;
          // The lease is written, and how the try has ended is not, twice.
          const commit: Database['commit'] = (unit, urgency) => {
            const isEnding =
              receiver.received.length > 0 &&
              unit.steps.some((step) => 'values' in step && step.values.includes(id));
            return isEnding && failures-- > 0
              ? Promise.reject(new Error('disk full'))
              : target.commit(unit, urgency);
          };
          return commit;
        },
      });
      const other = openAlertHouse(faulty, clock);
      await turn(other);
      assert.deepEqual(await stateOf(id), ['pending', 1, undefined, undefined]);
      clock.advance(LEASE_MS);
      await assert.rejects(turn(other), /disk full/);
      await turn(other);
      assert.deepEqual(await stateOf(id), ['delivered', 1, 200, undefined]);
      assert.equal(receiver.received.length, 1);
      await other.webhookPools.destroy();
    });

    test('follow no redirect', async () => {
      await using receiver = await startReceiver();
      await using elsewhere = await startReceiver();
      receiver.script({ redirectTo: elsewhere.url });
      const id = await house.newDelivery(await house.newWebhook(receiver.url));
      await turn();
      assert.deepEqual((await stateOf(id)).slice(0, 2), ['pending', 1]);
      assert.equal(elsewhere.received.length, 0);
    });

    test('go to no address that is not public, whatever its name says', async () => {
      const id = await house.newDelivery(await house.newWebhook('https://localhost/hooks'));
      // Inside the networks that webhooks may reach, but not over plain HTTP to another private one.
      const privately = await house.newDelivery(await house.newWebhook('http://10.0.0.1/hooks'));
      await turn();
      assert.deepEqual(await stateOf(privately), ['pending', 1, undefined, 'denied_address']);
      assert.equal((await stateOf(id))[0], 'pending');
    });

    test('to a receiver that is gone are given up, and it is disabled', async () => {
      await using receiver = await startReceiver();
      receiver.script(410);
      const webhook = await house.newWebhook(receiver.url);
      const ids = [await house.newDelivery(webhook), await house.newDelivery(webhook)];
      await turn();
      await turn();
      assert.equal(receiver.received.length, 1);
      assert.deepEqual(await Promise.all(ids.map(async (id) => (await stateOf(id))[0])), [
        'failed',
        'failed',
      ]);
      assert.equal((await house.webhooks.find(webhook.id))?.disabledAtMs, clock.nowMs());
      const [event] = (await house.events('webhook.disabled')).filter(({ target }) => target === webhook.id);
      assert.partialDeepStrictEqual(event?.detail, { status: 410 });
    });

    test('are not sent where the webhook was turned elsewhere in the database', async () => {
      await using receiver = await startReceiver();
      await using thief = await startReceiver();
      const webhook = await house.newWebhook(receiver.url);
      const id = await house.newDelivery(webhook);
      const turnElsewhere = database.step((db) =>
        db.updateTable('webhooks').set({ url: thief.url }).where('id', '=', webhook.id),
      );
      await database.commit({ steps: [turnElsewhere] });
      await turn();
      assert.equal(thief.received.length, 0);
      assert.equal((await stateOf(id))[0], 'pending');
    });
  });
}
