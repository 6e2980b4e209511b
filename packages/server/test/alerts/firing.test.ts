import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import { breakerAfter } from '../../src/alerts/break-key.ts';
import { readSightings } from '../../src/alerts/sighting-store.ts';
import { TEACHING_MS } from '../../src/alerts/sighting-memory.ts';
import { fireAlert } from '../../src/jobs/fire-alert.ts';
import { ALERTS_KEPT_MS, pruneAlerts } from '../../src/jobs/prune-alerts.ts';
import type { Database } from '../../src/storage/database.ts';
import { DATABASE_KINDS, type DatabasePlace } from '../databases.ts';
import { ManualClock } from '../manual-clock.ts';
import { type AlertHouse, DOLLAR, found, openAlertHouse } from './alert-house.ts';

const threshold = (dollars: bigint) =>
  ({ kind: 'spend_threshold', usd: nanos(dollars * DOLLAR), windowS: 60 }) as const;
const ONE_KEY = (id: string) => ({ scope: 'key', scopeIds: [id] }) as const;

for (const kind of DATABASE_KINDS) {
  describe(`what a rule does when it fires, on ${kind.name}`, () => {
    const clock = new ManualClock();
    let place: DatabasePlace;
    let database: Database;
    let house: AlertHouse;

    before(async () => {
      place = await kind.create();
      database = await place.open({ nowMs: () => clock.nowMs() });
      await found(database);
      house = openAlertHouse(database, clock);
      await house.follow();
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    test('is one commit: firing, key, records, deliveries, and a raised revision', async () => {
      const key = await house.newKey();
      const webhook = await house.newWebhook('http://127.0.0.1:9/hooks');
      const rule = await house.newRule(threshold(10n), {
        ...ONE_KEY(key.id),
        webhookIds: [webhook.id],
        action: { kind: 'suspend' },
      });
      const revision = await house.revision();
      await house.open(key, 9n * DOLLAR);
      await house.follow();
      assert.deepEqual(await house.firingsOf(rule), []);
      await house.open(key, DOLLAR);
      await house.follow();
      const [firing, ...others] = await house.firingsOf(rule);
      assert.deepEqual(others, []);
      assert.partialDeepStrictEqual(firing?.detail, { done: 'suspended', spent_usd: '10.00' });
      assert.partialDeepStrictEqual((await house.keyNow(key)).breaker, {
        state: 'suspended',
        ruleId: rule.id,
      });
      assert.equal(await house.revision(), (revision ?? 0n) + 1n);
      assert.equal(house.forgotten(), 1);
      const [suspended] = await house.events('key.suspended');
      assert.equal(suspended?.target, key.id);
      assert.partialDeepStrictEqual(suspended?.detail, {
        before: { state: 'none' },
        after: { state: 'suspended', rule_id: rule.id },
      });
      const [fired] = await house.events('alert.fired');
      assert.partialDeepStrictEqual(fired, {
        target: rule.id,
        detail: { subject: key.id, limit_usd: '10.00' },
      });
      const [delivery] = await house.delivered();
      assert.equal(delivery?.firingId, firing?.id);
      assert.partialDeepStrictEqual(JSON.parse(delivery?.body ?? ''), {
        type: 'alert.fired',
        data: { key_id: key.id, rule: { id: rule.id }, done: 'suspended' },
      });
    });

    test('goes on after a restart with what was in its windows, and says nothing twice', async () => {
      const key = await house.newKey();
      const rule = await house.newRule(threshold(10n), ONE_KEY(key.id));
      await house.open(key, 6n * DOLLAR);
      await house.follow();
      house.restart();
      await house.open(key, 4n * DOLLAR);
      await house.follow();
      assert.equal((await house.firingsOf(rule)).length, 1);
      house.restart();
      await house.open(key, 4n * DOLLAR);
      await house.follow();
      assert.equal((await house.firingsOf(rule)).length, 1);
    });

    test('judges after a restart what came while nobody judged', async () => {
      const key = await house.newKey();
      const rule = await house.newRule({ kind: 'event', actions: ['key.revoked'] });
      await house.follow();
      await house.audit.record({
        action: 'key.revoked',
        actor: 'key_admin',
        target: key.id,
        decision: 'allowed',
        organizationId: key.organizationId,
      });
      house.restart();
      await house.follow();
      house.restart();
      await house.follow();
      assert.deepEqual(
        (await house.firingsOf(rule)).map(({ subject }) => subject),
        [key.id],
      );
    });

    test('happens once, however many processes see it', async () => {
      // SQLite serves one process; there two watches meet on one database.
      const second = kind.name === 'postgres' ? await place.open({ nowMs: () => clock.nowMs() }) : database;
      const other = openAlertHouse(second, clock);
      await other.follow();
      const key = await house.newKey();
      const webhook = await house.newWebhook('http://127.0.0.1:9/hooks');
      const rule = await house.newRule(threshold(1n), {
        ...ONE_KEY(key.id),
        webhookIds: [webhook.id],
        action: { kind: 'throttle', requestsPerMinute: 3 },
      });
      await house.open(key, DOLLAR);
      await other.open(key, DOLLAR);
      other.alertRules.forget();
      // Each looks for the node of the other every few seconds.
      for (let turn = 0; turn < 2; turn++) {
        clock.advance(2_000);
        await Promise.all([house.follow(), other.follow()]);
      }
      assert.equal((await house.firingsOf(rule)).length, 1);
      const told = (await house.delivered()).filter(({ webhookId }) => webhookId === webhook.id);
      assert.equal(told.length, 1);
      const throttled = (await house.events('key.throttled')).filter(({ target }) => target === key.id);
      assert.equal(throttled.length, 1);
      if (second !== database) await second.close();
    });

    test('is tried again until it can be written, and nobody is told before', async () => {
      const key = await house.newKey();
      const webhook = await house.newWebhook('http://127.0.0.1:9/hooks');
      let refusals = 3;
      const faulty = new Proxy(database, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name, target);
          if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value;
          const commit: Database['commit'] = (unit, urgency) =>
            refusals-- > 0 ? Promise.reject(new Error('disk full')) : target.commit(unit, urgency);
          return commit;
        },
      });
      const other = openAlertHouse(faulty, clock);
      refusals = 0;
      await other.follow();
      const rule = await house.newRule(threshold(1n), {
        ...ONE_KEY(key.id),
        webhookIds: [webhook.id],
        action: { kind: 'suspend' },
      });
      await house.open(key, DOLLAR);
      other.alertRules.forget();
      refusals = 3;
      for (let turn = 0; turn < 3; turn++) {
        await assert.rejects(other.follow(), /disk full/);
        assert.deepEqual(await house.firingsOf(rule), []);
        assert.equal((await house.keyNow(key)).breaker, undefined);
      }
      await other.follow();
      assert.equal((await house.firingsOf(rule)).length, 1);
      assert.equal((await house.keyNow(key)).breaker?.state, 'suspended');
    });

    test('ends with a resume: what was seen does not fire again, what comes then does', async () => {
      const key = await house.newKey();
      const rule = await house.newRule(threshold(10n), { ...ONE_KEY(key.id), action: { kind: 'suspend' } });
      await house.open(key, 10n * DOLLAR);
      await house.follow();
      clock.advance(1_000);
      const suspended = await house.keyNow(key);
      await database.commit({
        steps: [
          house.keys.updateStep({ ...suspended, breaker: undefined }),
          house.firings.clearStep(key.id, clock.nowMs()),
          house.audit.step({
            action: 'key.resumed',
            actor: 'key_admin',
            target: key.id,
            decision: 'allowed',
            organizationId: key.organizationId,
          }),
        ],
      });
      clock.advance(1_000);
      await house.open(key, 9n * DOLLAR);
      await house.follow();
      // Also for one that starts now and reads it all again.
      house.restart();
      await house.follow();
      assert.equal((await house.keyNow(key)).breaker, undefined);
      await house.open(key, DOLLAR);
      await house.follow();
      assert.equal((await house.keyNow(key)).breaker?.state, 'suspended');
      assert.equal((await house.firingsOf(rule)).length, 2);
    });

    test('is not kept from happening by what the rule said before it was changed', async () => {
      const key = await house.newKey();
      const when = { kind: 'event', actions: ['key.updated'] } as const;
      const rule = await house.newRule(when, ONE_KEY(key.id));
      const happen = () =>
        house.audit.record({
          action: 'key.updated',
          actor: 'key_admin',
          target: key.id,
          decision: 'allowed',
          organizationId: key.organizationId,
        });
      await happen();
      await house.follow();
      assert.equal((await house.firingsOf(rule)).length, 1);
      const updatedAtMs = rule.updatedAtMs + 1;
      const changed = { ...rule, action: { kind: 'suspend' }, cooldownS: 10, updatedAtMs } as const;
      await database.commit({ steps: [house.alertRules.replaceStep(changed, rule.updatedAtMs)] });
      // Found by the rule as it was: its new action is not for that.
      const old = { atMs: clock.nowMs(), measured: {}, requestIds: [], sighting: undefined };
      await fireAlert(house, { ...old, rule, subject: key.id });
      assert.equal((await house.keyNow(key)).breaker, undefined);
      house.alertRules.forget();
      await happen();
      await house.follow();
      // Also for one that starts now and reads it all again.
      house.restart();
      await happen();
      await house.follow();
      assert.equal((await house.firingsOf(rule)).length, 2);
      assert.equal((await house.keyNow(key)).breaker?.state, 'suspended');
    });

    test('tells of an admin key and leaves it alone', async () => {
      const key = await house.newKey({ kind: 'admin', permissions: ['keys:read'] });
      const when = { kind: 'denied_burst', count: 2, windowS: 60 } as const;
      const rule = await house.newRule(when, { ...ONE_KEY(key.id), action: { kind: 'suspend' } });
      for (let refusal = 0; refusal < 2; refusal++) {
        await house.audit.record({
          action: 'control.refused',
          actor: key.id,
          target: 'GET /v1/keys',
          decision: 'denied',
          organizationId: key.organizationId,
        });
      }
      await house.follow();
      const [firing] = await house.firingsOf(rule);
      assert.equal(firing?.detail['done'], 'none');
      assert.equal((await house.keyNow(key)).breaker, undefined);
    });

    test('cannot be lifted in the database', async () => {
      const key = await house.newKey();
      await house.newRule(threshold(1n), { ...ONE_KEY(key.id), action: { kind: 'suspend' } });
      await house.open(key, DOLLAR);
      await house.follow();
      assert.equal((await house.keyNow(key)).breaker?.state, 'suspended');
      const lift = database.step((db) =>
        db.updateTable('keys').set({ breaker: null }).where('id', '=', key.id),
      );
      await database.commit({ steps: [lift] });
      assert.equal(await house.keys.findById(key.id, clock.nowMs()), 'tampered');
      assert.equal(await house.keys.findKey(key.organizationId, key.id), 'tampered');
    });

    test('only ever tightens', async () => {
      const key = await house.newKey();
      const rule = await house.newRule(threshold(1n), { isEnabled: false });
      const throttle = (requestsPerMinute: number) =>
        ({ ...rule, action: { kind: 'throttle', requestsPerMinute } }) as const;
      const slow = breakerAfter(key, throttle(5), 1);
      assert.partialDeepStrictEqual(slow, { state: 'throttled', requestsPerMinute: 5 });
      const slowed = { ...key, breaker: slow };
      assert.equal(breakerAfter(slowed, throttle(6), 2), undefined);
      assert.partialDeepStrictEqual(breakerAfter(slowed, throttle(4), 2), { requestsPerMinute: 4 });
      const stopped = breakerAfter(slowed, { ...rule, action: { kind: 'suspend' } }, 3);
      assert.equal(stopped?.state, 'suspended');
      assert.equal(breakerAfter({ ...key, breaker: stopped }, throttle(1), 4), undefined);
    });

    test('remembers where a key was seen, over restarts and for as many places as it may', async () => {
      const key = await house.newKey();
      const rule = await house.newRule({ kind: 'first_seen_network' }, { ...ONE_KEY(key.id), cooldownS: 10 });
      await house.open(key, 0n, '192.0.2.1');
      await house.follow();
      clock.advance(TEACHING_MS);
      house.restart();
      await house.open(key, 0n, '192.0.2.200');
      await house.follow();
      assert.deepEqual(await house.firingsOf(rule), []);
      await house.open(key, 0n, '198.51.100.1');
      await house.follow();
      clock.advance(60_000);
      house.restart();
      await house.open(key, 0n, '198.51.100.2');
      await house.follow();
      assert.deepEqual(
        (await house.firingsOf(rule)).map(({ detail }) => detail['network']),
        ['198.51.100.0/24'],
      );
      for (let part = 0; part < 300; part++) {
        const sighting = { keyId: key.id, kind: 'network', value: `10.0.${part}.0/24`, calls: 1 } as const;
        await database.commit({
          steps: house.sightings.rememberSteps({ ...sighting, atMs: clock.nowMs() + part }),
        });
      }
      const { values } = await readSightings(database, key.id, 'network');
      assert.equal(values.length, 256);
      assert.equal(values.at(-1), '10.0.299.0/24');
    });

    test('does not follow a rule that was edited in the database, and says so', async () => {
      const key = await house.newKey();
      const rule = await house.newRule(threshold(1n), { ...ONE_KEY(key.id), action: { kind: 'suspend' } });
      const weaken = database.step((db) =>
        db.updateTable('alert_rules').set({ action: '{"kind":"none"}' }).where('id', '=', rule.id),
      );
      await database.commit({ steps: [weaken] });
      house.alertRules.forget();
      house.edited.length = 0;
      await house.open(key, DOLLAR);
      await house.follow();
      assert.ok(house.edited.some((message) => message.includes(rule.id)));
      assert.deepEqual(await house.firingsOf(rule), []);
      await assert.rejects(house.alertRules.list(key.organizationId));
      await database.commit({ steps: [house.alertRules.removeStep(key.organizationId, rule.id)] });
      await house.alertRules.list(key.organizationId);
    });

    test('is not kept from happening by a record that cannot be read', async () => {
      const key = await house.newKey();
      const rule = await house.newRule(threshold(1n), ONE_KEY(key.id));
      await house.follow();
      house.edited.length = 0;
      await house.open(key, 0n);
      await database.barrier();
      const spoil = database.step((db) =>
        db
          .updateTable('audit_records')
          .set({ record: '[1,' })
          .where('node', '=', BigInt(database.node))
          .where('sequence', '=', (eb) =>
            eb
              .selectFrom('audit_records as last')
              .select((last) => last.fn.max('last.sequence').as('sequence'))
              .where('last.node', '=', BigInt(database.node)),
          ),
      );
      await database.commit({ steps: [spoil] });
      await house.open(key, DOLLAR);
      await house.follow();
      assert.equal((await house.firingsOf(rule)).length, 1);
      assert.ok(house.edited.some((message) => message.includes('cannot be read')));
    });

    test('is forgotten once it is old', async () => {
      clock.advance(ALERTS_KEPT_MS + 86_400_000);
      await pruneAlerts(house);
      await database.barrier();
      for (const table of ['alert_firings', 'webhook_deliveries'] as const) {
        assert.deepEqual(await database.read((db) => db.selectFrom(table).select('id')), []);
      }
    });
  });
}
