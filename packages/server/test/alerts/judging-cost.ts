/** Measures what it costs to judge a record: `npm run judging-cost -- --records 100000`. */
import { parseArgs } from 'node:util';
import { type Id, nanos } from '@keyfold/protocol';
import type { Condition } from '../../src/alerts/rule.ts';
import { openReader } from '../../src/storage/open-reader.ts';
import { ORGANIZATION, fillRecords, fillSqlite, keyId } from '../audit/fill-log.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { ManualClock } from '../manual-clock.ts';
import { DOLLAR, found, openAlertHouse } from './alert-house.ts';

const KEYS = 200;
const ROUNDS = 3;
const NETWORKS = 40;
const ROWS_PER_COMMIT = 1_000;
/** None of them fires, and every network is known: what is measured is looking. */
const CONDITIONS: readonly Condition[] = [
  { kind: 'spend_threshold', usd: nanos(1_000_000n * DOLLAR), windowS: 3_600 },
  { kind: 'spend_spike', multiplePercent: 100_000_000, minUsd: nanos(1n), windowS: 60 },
  { kind: 'first_seen_network' },
  { kind: 'denied_burst', count: 1_000_000, windowS: 600 },
];

const { values } = parseArgs({ options: { records: { type: 'string', default: '100000' } } });
const count = Number(values.records);
const kind = DATABASE_KINDS.find(({ name }) => name === 'sqlite');
if (kind === undefined || !Number.isSafeInteger(count)) throw new Error('--records NUMBER');

const place = await kind.create();
await (await place.open()).close();
fillSqlite(place.location, fillRecords(count));
for (const rules of [0, 1, CONDITIONS.length]) {
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) costs.push(await judgeAll(CONDITIONS.slice(0, rules)));
  process.stdout.write(`${rules} rules: ${Math.min(...costs).toFixed(2)} µs a record\n`);
}
await place.remove();

/** Microseconds of this process for each record. */
async function judgeAll(conditions: readonly Condition[]): Promise<number> {
  const clock = new ManualClock(Date.UTC(2026, 9, 1));
  const database = await place.open({ nowMs: () => clock.nowMs() });
  const remove = (
    ['alert_rules', 'alert_positions', 'alert_sightings', 'alert_lessons', 'keys'] as const
  ).map((table) => database.step((db) => db.deleteFrom(table)));
  await database.commit({ steps: remove });
  await found(database).catch(() => undefined);
  const reader = await openReader({ dialect: 'sqlite', directory: place.location });
  const house = openAlertHouse(database, clock, reader);
  for (let key = 0; key < KEYS; key++) {
    const { id } = await house.newKey({ organizationId: ORGANIZATION as Id<'organization'> });
    const rename = database.step((db) =>
      db
        .updateTable('keys')
        .set({ id: keyId(key) })
        .where('id', '=', id),
    );
    await database.commit({ steps: [rename] });
  }
  const rows = [...Array(KEYS * NETWORKS).keys()].map((each) => ({
    key_id: keyId(each % KEYS),
    kind: 'network',
    value: `203.0.${Math.floor(each / KEYS)}.0/24`,
    at: 1,
  }));
  for (let at = 0; at < rows.length; at += ROWS_PER_COMMIT) {
    const page = rows.slice(at, at + ROWS_PER_COMMIT);
    const insert = database.step((db) => db.insertInto('alert_sightings').values(page));
    await database.commit({ steps: [insert] });
  }
  const lessons = [...Array(KEYS).keys()].map((key) => ({
    key_id: keyId(key),
    kind: 'network',
    since: 1,
    calls: 1_000,
  }));
  const taught = database.step((db) => db.insertInto('alert_lessons').values(lessons));
  await database.commit({ steps: [taught] });
  const position = database.step((db) => db.insertInto('alert_positions').values({ node: 1, sequence: 1 }));
  await database.commit({ steps: [position] });
  for (const when of conditions)
    await house.newRule(when, { organizationId: ORGANIZATION as Id<'organization'> });
  clock.advance(10_000);
  const before = process.cpuUsage();
  await house.follow();
  const { user, system } = process.cpuUsage(before);
  await reader.close();
  await database.close();
  return (user + system) / count;
}
