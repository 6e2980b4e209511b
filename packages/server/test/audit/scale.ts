/** Measures searches in a large log: `npm run audit-scale -- --records 10000000 --database sqlite`. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { providePostgres } from '../../../../test/services/postgres.ts';
import type { AuditFilter } from '../../src/audit/search/filter.ts';
import { AuditFollower } from '../../src/audit/following/audit-follower.ts';
import { openReader } from '../../src/storage/open-reader.ts';
import { type DatabasePlace } from '../../src/storage/reader.ts';
import { openSearchIndex } from '../../src/storage/open-search-index.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { ORGANIZATION, fillPostgres, fillRecords, fillSqlite, keyId } from './fill-log.ts';

const ROUNDS = 5;
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 9, 1);

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    database: { type: 'string', default: 'sqlite' },
  },
});
const count = Number(values.records);
const kind = DATABASE_KINDS.find(({ name }) => name === values.database);
if (kind === undefined || !Number.isSafeInteger(count))
  throw new Error('--records NUMBER --database sqlite|postgres');

const ours: AuditFilter = { organizationId: ORGANIZATION, withUnowned: false };
const QUESTIONS: Readonly<Record<string, AuditFilter>> = {
  'the newest': ours,
  'a key': { ...ours, key: keyId(7) },
  'an action that is rare': { ...ours, actions: ['key.updated'] },
  'a group of actions': { ...ours, actions: ['key.*', 'budget.*'] },
  'an action that never was': { ...ours, actions: ['route.deleted'] },
  refusals: { ...ours, decision: 'denied' },
  'refusals of a key': { ...ours, decision: 'denied', actor: keyId(7) },
  'what a key changed': { ...ours, actor: keyId(8), actions: ['key.updated'] },
  'an address': { ...ours, network: '203.0.3.7' },
  'a network': { ...ours, network: '203.0.3.0/24' },
  'a network that never called': { ...ours, network: '198.51.100.0/24' },
  'a day a month ago': { ...ours, fromMs: START_MS + DAY_MS / 4, toMs: START_MS + DAY_MS },
  'before anything was': { ...ours, toMs: START_MS - DAY_MS },
  'a common word': { ...ours, words: ['openai'] },
  'two common words': { ...ours, words: ['claude', 'settled'] },
  'a word and a key': { ...ours, words: ['gemini'], key: keyId(9) },
  'a rare word': { ...ours, words: ['budget_exhausted'] },
  'words of which one never was': { ...ours, words: ['openai', 'nowhere'] },
  'words that never meet': { ...ours, words: ['budget_exhausted', 'claude'] },
  'a request id that never was': { ...ours, requestId: 'req_none' },
};

const say = (text: string) => process.stdout.write(`${text}\n`);
const postgres = kind.name === 'postgres' ? await providePostgres() : undefined;
if (postgres !== undefined) process.env['KEYFOLD_TEST_POSTGRES_URL'] = postgres.url;
const place = await kind.create();
await (await place.open()).close();
const startedMs = performance.now();
if (kind.name === 'sqlite') fillSqlite(place.location, fillRecords(count));
else await fillPostgres(place.location, fillRecords(count));
say(`${count} records written in ${seconds(startedMs)} s`);

const readerPlace: DatabasePlace =
  kind.name === 'sqlite'
    ? { dialect: 'sqlite', directory: place.location }
    : { dialect: 'postgres', url: place.location };
const reader = await openReader(readerPlace);
const index = await openSearchIndex(readerPlace);
const follower = new AuditFollower({
  reader,
  index,
  monotonicMs: () => performance.now(),
  send: () => undefined,
  onFailure: (error) => say(String(error)),
});
const indexedMs = performance.now();
await follower.turn();
while (await follower.indexTurn());
say(
  `indexed in ${seconds(indexedMs)} s${kind.name === 'sqlite' ? `: ${sizeOfIndex(place.location)} MB` : ''}`,
);

let slowestMs = 0;
for (const [what, filter] of Object.entries(QUESTIONS)) {
  const times: number[] = [];
  let rows = 0;
  let isPart = false;
  for (let round = 0; round < ROUNDS; round++) {
    let after;
    // The first pages, as somebody reads on.
    for (let page = 0; page < 3; page++) {
      const pageMs = performance.now();
      const { records, next } = await follower.search({ filter, after, limit: 50 });
      times.push(performance.now() - pageMs);
      if (page === 0) rows = records.length;
      isPart ||= records.length < 50 && next !== undefined;
      if (next === undefined) break;
      after = next;
    }
  }
  const sorted = times.toSorted((a, b) => a - b);
  const worst = sorted.at(-1) ?? 0;
  slowestMs = Math.max(slowestMs, worst);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  say(
    `${what.padEnd(32)} ${String(rows).padStart(3)} rows ${median.toFixed(1).padStart(7)} ms, worst ${worst.toFixed(1)}${isPart ? ', in parts' : ''}`,
  );
}
say(`slowest page: ${slowestMs.toFixed(1)} ms`);
await index.close();
await reader.close();
await place.remove();
await postgres?.stop();

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1_000).toFixed(1);
}

function sizeOfIndex(directory: string): string {
  const bytes = ['', '-wal'].reduce(
    (sum, suffix) => sum + statSync(join(directory, `audit-search.db${suffix}`)).size,
    0,
  );
  return (bytes / 1_048_576).toFixed(0);
}
