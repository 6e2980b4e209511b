import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AuditAction, AuditEvent } from '../../src/audit/audit-event.ts';
import { parsePlace, renderPlace } from '../../src/audit/place.ts';
import { type AuditFilter, compileFilter } from '../../src/audit/search/filter.ts';
import { SEARCH_MS_MAX } from '../../src/audit/search/search-log.ts';
import { splitWords } from '../../src/audit/search/words.ts';
import { readEvent } from '../../src/audit/stored-event.ts';
import { type AuditHouse, openAuditHouse } from '../audit-house.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { createRandom } from '../seeded-random.ts';

const EVERYTHING: AuditFilter = { organizationId: undefined, withUnowned: true };
const EVENTS = 1_200;
const ACTIONS: readonly AuditAction[] = ['key.created', 'key.updated', 'budget.set', 'call.refused'];
const WORDS = [
  'alpha',
  'beta',
  'gpt-4.1',
  'Größe',
  '漢字',
  "o'neil",
  '50%',
  'a_b',
  'DROP TABLE',
  'NEAR(x y)',
  '"q"',
];

describe('places in the log', () => {
  test('are read as they were written, and anything else is none', () => {
    for (const text of ['1-0', '1-120', '1-120.2-33', '64-9007199254740991']) {
      assert.equal(renderPlace(parsePlace(text) ?? assert.fail(text)), text);
    }
    for (const text of [
      '',
      '1',
      '1-',
      '-1',
      '0-1',
      '65-1',
      '1-01',
      '1-1.1-2',
      '1-9007199254740993',
      "1-1'",
      '1-1.',
    ]) {
      assert.equal(parsePlace(text), undefined, text);
    }
  });
});

for (const kind of DATABASE_KINDS) {
  describe(`searching the audit log on ${kind.name}`, () => {
    const random = createRandom(6);
    const pick = <Value>(values: readonly Value[]): Value =>
      values[Math.floor(random() * values.length)] as Value;
    let house: AuditHouse;

    const randomEvent = (): AuditEvent => ({
      action: pick(ACTIONS),
      actor: pick(['key_00000001', 'key_00000002', 'system']),
      target: pick(['key_00000003', 'prj_00000001', 'bgt_1']),
      decision: random() < 0.02 ? 'denied' : 'allowed',
      requestId: `req_${Math.floor(random() * 300)}`,
      organizationId: pick(['org_1', 'org_2', undefined]),
      address: pick(['203.0.113.7', '::ffff:203.0.113.99', '2001:db8::7', undefined]),
      detail: {
        name: `${pick(WORDS)} ${pick(WORDS)}`,
        status: pick([200, 502]),
        scope_id: pick(['key_00000002', 'x']),
      },
    });

    const randomFilter = (): AuditFilter => {
      const maybe = <Value>(values: readonly Value[]) => (random() < 0.25 ? pick(values) : undefined);
      const fromMs = maybe([house.clock.nowMs() - 600_000, house.clock.nowMs() - 60_000]);
      return {
        organizationId: pick(['org_1', 'org_2', undefined]),
        withUnowned: random() < 0.5,
        actions: maybe([['key.created'], ['key.*'], ['call.*', 'budget.set'], ['route.deleted']]),
        actor: maybe(['key_00000001', 'system', 'nobody']),
        key: maybe(['key_00000002', 'key_00000003']),
        target: maybe(['prj_00000001', 'bgt_1']),
        decision: maybe(['allowed', 'denied']),
        requestId: maybe(['req_7', 'req_250']),
        network: maybe([
          '203.0.113.7',
          '203.0.113.0/24',
          '203.0.0.0/15',
          '2001:db8::7',
          '2001:DB8:0::7/128',
          '2001:db8::/32',
          '198.51.100.0/24',
        ]),
        fromMs,
        toMs: maybe([house.clock.nowMs() - 300_000]),
        words: maybe(WORDS.map((word) => splitWords(word))),
      };
    };

    const searchAll = async (filter: AuditFilter, limit = 50): Promise<string[]> => {
      const found: string[] = [];
      let place: string | undefined;
      for (let page = 0; page < 100; page++) {
        const after = place === undefined ? undefined : parsePlace(place);
        const { records, next } = await house.follower.search({ filter, after, limit });
        assert.ok(records.length <= limit);
        found.push(...records.map(({ record }) => record));
        if (next === undefined) return found;
        place = renderPlace(next);
      }
      return assert.fail('the pages never end');
    };

    const readAll = async (): Promise<string[]> => {
      const rows = await house.reader.read((db) =>
        db.selectFrom('audit_records').select('record').orderBy('sequence', 'desc'),
      );
      return rows.map(({ record }) => record);
    };

    before(async () => {
      house = await openAuditHouse(kind);
      for (let batch = 0; batch < 12; batch++) {
        await house.append(Array.from({ length: EVENTS / 12 }, randomEvent));
        house.clock.advance(60_000);
      }
    });
    after(async () => {
      await house.end();
      await house.close();
    });

    test('before and after it is indexed, every filter finds what reading every record finds, newest first', async () => {
      const records = await readAll();
      const filters = Array.from({ length: 150 }, randomFilter);
      for (const isIndexed of [false, true]) {
        if (isIndexed) await house.catchUp();
        let found = 0;
        for (const filter of filters) {
          const matches = compileFilter(filter);
          const expected = records.filter((record) => matches({ ...readEvent(record), projects: [] }));
          assert.deepEqual(await searchAll(filter), expected, JSON.stringify(filter));
          found += expected.length;
        }
        assert.ok(found > 1_000, `${found} found: the filters ask for something`);
      }
      assert.equal((await house.index.lastBlock(1))?.block, Math.floor(EVENTS / 32) - 1);
    });

    test('what was written a moment ago is found, whatever is indexed', async () => {
      await house.append([{ ...randomEvent(), target: 'prj_of_now' }]);
      const { records } = await house.follower.search({
        filter: { ...EVERYTHING, target: 'prj_of_now' },
        after: undefined,
        limit: 10,
      });
      assert.equal(records.length, 1);
    });

    test('a page that takes too long is what was found so far, and the next goes on from there', async () => {
      await house.catchUp();
      const expected = await searchAll({ ...EVERYTHING, network: '203.0.113.0/24' });
      // A clock that runs at each look: a page may look for a moment only.
      const slow = { ...house, monotonicMs: 0 };
      const original = house.clock.monotonicMs.bind(house.clock);
      house.clock.monotonicMs = () => (slow.monotonicMs += SEARCH_MS_MAX);
      try {
        assert.deepEqual(await searchAll({ ...EVERYTHING, network: '203.0.113.0/24' }), expected);
        const { records, next } = await house.follower.search({
          filter: { ...EVERYTHING, network: '198.51.100.0/24' },
          after: undefined,
          limit: 10,
        });
        assert.deepEqual([records, next !== undefined], [[], true]);
      } finally {
        house.clock.monotonicMs = original;
      }
    });

    test('a filter by project finds what its keys did and what was done to them', async () => {
      await house.database.commit({
        steps: [
          house.database.step((db) =>
            db.insertInto('keys').values({
              id: 'key_00000002',
              organization_id: 'org_1',
              project_id: 'prj_other',
              kind: 'live',
              name: null,
              permissions: '[]',
              models: null,
              networks: null,
              requests_per_minute: null,
              tokens_per_minute: null,
              concurrent_requests: null,
              not_before: null,
              expires_at: null,
              revoked_at: null,
              quarantined_at: null,
              signing: null,
              parent_id: null,
              parent_version: null,
              canary: 0,
              auto_rotate: 0,
              rotation_interval_s: 1,
              metadata: null,
              created_at: 0,
              revision: 1,
              mac: '',
            }),
          ),
        ],
      });
      const again = await house.followAgain();
      const filter = { ...EVERYTHING, project: 'prj_other' };
      const { records } = await again.follower.search({ filter, after: undefined, limit: 100 });
      await again.end();
      assert.ok(records.length > 0);
      for (const { record } of records) assert.match(record, /key_00000002/);
    });

    test('an index of another history, as after a restore, is made anew', async () => {
      await house.catchUp();
      const last = (await house.index.lastBlock(1)) ?? assert.fail();
      await house.index.forgetFrom(1, last.block);
      await house.index.add(1, [{ ...last, fromMs: 0, toMs: 1, terms: ['x'], head: new Uint8Array(32) }]);
      await house.end();
      Object.assign(house, await house.followAgain());
      await house.catchUp();
      assert.deepEqual(Buffer.from((await house.index.lastBlock(1))?.head ?? []), Buffer.from(last.head));
      assert.equal((await searchAll(EVERYTHING)).length, (await readAll()).length);
    });

    test('what was pruned from the log is forgotten, and not looked for', async () => {
      const prune = house.database.step((db) =>
        db.deleteFrom('audit_records').where('sequence', '<=', 1_000n),
      );
      await house.database.commit({ steps: [prune] });
      await house.catchUp();
      const all = { node: 1, terms: [], before: 1_000, fromMs: undefined, toMs: undefined, limit: 1_000 };
      assert.equal(Math.min(...(await house.index.find(all))), Math.floor(1_000 / 32));
      assert.deepEqual(await searchAll(EVERYTHING), await readAll());
    });

    if (kind.name === 'sqlite') {
      test('an index that turns out to be broken while it is used is made anew, and nothing is lost', async () => {
        const file = join(house.place.location, 'audit-search.db');
        await house.end();
        const bytes = readFileSync(file);
        bytes.fill(0x5a, 4_096);
        writeFileSync(file, bytes);
        Object.assign(house, await house.followAgain());
        const find = () => searchAll({ ...EVERYTHING, actions: ['key.*'] });
        await assert.rejects(async () => {
          await house.catchUp();
          await find();
        }, /malformed|not a database/);
        await house.catchUp();
        assert.ok(((await house.index.lastBlock(1))?.block ?? 0) > 30);
        const matches = compileFilter({ ...EVERYTHING, actions: ['key.*'] });
        const expected = (await readAll()).filter((record) =>
          matches({ ...readEvent(record), projects: [] }),
        );
        assert.deepEqual(await find(), expected);
      });

      test('an index whose file is broken or gone is made anew', async () => {
        await house.end();
        for (const suffix of ['-wal', '-shm', '']) {
          writeFileSync(join(house.place.location, `audit-search.db${suffix}`), 'not a database');
        }
        Object.assign(house, await house.followAgain());
        await house.catchUp();
        assert.equal((await searchAll({ ...EVERYTHING, actions: ['key.*'] })).length > 0, true);
        assert.ok(((await house.index.lastBlock(1))?.block ?? 0) > 30);
        assert.equal((await searchAll(EVERYTHING)).length, (await readAll()).length);
      });
    }
  });
}
