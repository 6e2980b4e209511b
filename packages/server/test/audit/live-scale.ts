/**
 * Measures how long a record takes from its commit to a live stream and to a search, while calls are reserved and settled at
 * a rate: `npm run audit-live -- --calls 5000 --seconds 10 --database sqlite`.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { providePostgres } from '../../../../test/services/postgres.ts';
import { FiringStore } from '../../src/alerts/firing-store.ts';
import { serveJudge } from '../../src/alerts/judging/judge-desk.ts';
import { RuleStore } from '../../src/alerts/rule-store.ts';
import { SightingStore } from '../../src/alerts/sighting-store.ts';
import { AuditThreadPort } from '../../src/audit/following/audit-thread-port.ts';
import type { AuditFilter } from '../../src/audit/search/filter.ts';
import { RootKey } from '../../src/sealing/root-key.ts';
import { RowMac } from '../../src/sealing/row-mac.ts';
import type { DatabasePlace } from '../../src/storage/reader.ts';
import { openCallHouse, settled } from '../call-house.ts';
import { DATABASE_KINDS } from '../databases.ts';

const EVERYTHING: AuditFilter = { organizationId: undefined, withUnowned: true };
const TICK_MS = 10;
const ENTRY = new URL('../../src/audit-thread.ts', import.meta.url);

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '10' },
    database: { type: 'string', default: 'sqlite' },
  },
});
const [perSecond, seconds] = [Number(values.calls), Math.min(60, Number(values.seconds))];
const kind = DATABASE_KINDS.find(({ name }) => name === values.database);
if (kind === undefined || !(perSecond > 0) || !(seconds > 0))
  throw new Error('--calls N --seconds N --database sqlite|postgres');

const postgres = kind.name === 'postgres' ? await providePostgres() : undefined;
if (postgres !== undefined) process.env['KEYFOLD_TEST_POSTGRES_URL'] = postgres.url;
const place = await kind.create();
const house = await openCallHouse(place);
const threadPlace: DatabasePlace =
  kind.name === 'sqlite'
    ? { dialect: 'sqlite', directory: place.location }
    : { dialect: 'postgres', url: place.location };
const thread = new AuditThreadPort({
  settings: { place: threadPlace },
  entry: ENTRY,
  onStart: (judging) =>
    serveJudge(judging, {
      ...house,
      alertRules: new RuleStore({ ...house, mac: new RowMac(new RootKey(Buffer.alloc(32, 1))) }),
      firings: new FiringStore(house.database),
      sightings: new SightingStore(house.database),
      fire: () => Promise.reject(new Error('there are no rules')),
      onEdited: (error) => print(`trouble: ${String(error)}`),
    }),
  onFailure: (error) => print(`trouble: ${String(error)}`),
});

/** When the commit of a call's reservation was told, by its request. */
const committedMs = new Map<string, number>();
/** Records that were here before their writer had heard that they are on disk. */
const early = new Set<string>();
const streamLagsMs: number[] = [];
const searchMs: number[] = [];
const left = new AbortController();
const reading = readStream();
await pause(2_000);
house.clock.setTo(Date.now());

const running = new Set<Promise<void>>();
const startedMs = performance.now();
let calls = 0;
let lastSampleMs = 0;
for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs = performance.now() - startedMs) {
  house.clock.setTo(Date.now());
  const due = Math.floor((elapsedMs * perSecond) / 1_000);
  for (; calls < due && running.size < 4_000; calls++) start();
  await pause(TICK_MS);
}
const issued = calls;
await Promise.all(running);
const tookS = (performance.now() - startedMs) / 1_000;
for (let waits = 0; committedMs.size > 0 && waits < 100; waits++) await pause(50);
left.abort();
await reading;
print(
  `${kind.name}: ${issued} calls in ${tookS.toFixed(1)} s, ${(issued / tookS).toFixed(0)} a second, each reserved and settled`,
);
print(`on the stream after ${describe(streamLagsMs)}; never: ${committedMs.size}`);
print(`found by a search after ${describe(searchMs)}`);
await thread.close();
await house.database.close();
await place.remove();
await postgres?.stop();

function start(): void {
  const requestId = house.newId('request');
  const call = house
    .reserve({ requestId })
    .then(async (reservation) => {
      const atMs = performance.now();
      if (early.delete(requestId)) streamLagsMs.push(0);
      else committedMs.set(requestId, atMs);
      if (atMs - lastSampleMs > 100) {
        lastSampleMs = atMs;
        await findIt(requestId, atMs);
      }
      await house.ledger.resolve(reservation, settled());
    })
    .finally(() => running.delete(call));
  running.add(call);
}

async function findIt(requestId: string, sinceMs: number): Promise<void> {
  for (;;) {
    const { records } = await thread.search({
      filter: { ...EVERYTHING, requestId },
      after: undefined,
      limit: 5,
    });
    if (records.length > 0) break;
  }
  searchMs.push(performance.now() - sinceMs);
}

async function readStream(): Promise<void> {
  const events = thread.follow({ ...EVERYTHING, actions: ['call.opened'] }, undefined, left.signal) ?? [];
  for await (const piece of events) {
    const nowMs = performance.now();
    for (const [, requestId = ''] of piece.matchAll(/"request_id":"(req_[^"]+)"/g)) {
      const atMs = committedMs.get(requestId);
      if (atMs === undefined) early.add(requestId);
      else streamLagsMs.push(nowMs - atMs);
      committedMs.delete(requestId);
    }
  }
}

function describe(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(0);
  return `${at(0.5)} ms median, ${at(0.99)} ms of 99 in 100, ${at(1)} ms at worst (${sorted.length})`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
