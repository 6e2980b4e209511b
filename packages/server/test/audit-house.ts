/** Test support: a log on a real database, and what follows it, in one thread and without timers. */
import { setImmediate as settle } from 'node:timers/promises';
import { AuditLog } from '../src/audit/audit-log.ts';
import type { AuditEvent } from '../src/audit/audit-event.ts';
import { AuditFollower } from '../src/audit/following/audit-follower.ts';
import type { StreamPiece } from '../src/audit/following/live-streams.ts';
import type { Database } from '../src/storage/database.ts';
import { openReader } from '../src/storage/open-reader.ts';
import { type DatabasePlace as ReaderPlace } from '../src/storage/reader.ts';
import { openSearchIndex } from '../src/storage/open-search-index.ts';
import type { DatabaseKind, DatabasePlace } from './databases.ts';
import { ManualClock } from './manual-clock.ts';

export type AuditHouse = Awaited<ReturnType<typeof openAuditHouse>>;

export const EVENT: AuditEvent = {
  action: 'project.created',
  actor: 'key_00000001',
  target: 'prj_00000001',
  decision: 'allowed',
  organizationId: 'org_1',
};

export async function openAuditHouse(kind: DatabaseKind) {
  const place = await kind.create();
  const clock = new ManualClock();
  const database = await place.open({ nowMs: () => clock.nowMs() });
  const following = await follow(readerPlace(kind, place), clock);
  return {
    place,
    clock,
    database,
    ...following,
    append: (events: readonly AuditEvent[]) => append(database, clock, events),
    /** Another process that follows the same log. */
    followAgain: () => follow(readerPlace(kind, place), clock),
    /** What follows the log is ended by itself. */
    async close() {
      await database.close();
      await place.remove();
    },
  };
}

export async function append(
  database: Database,
  clock: ManualClock,
  events: readonly AuditEvent[],
): Promise<void> {
  const log = new AuditLog(database, clock);
  await Promise.all(events.map((event) => log.record(event, 'now')));
}

async function follow(place: ReaderPlace, clock: ManualClock) {
  const reader = await openReader(place);
  const index = await openSearchIndex(place);
  const pieces = new Map<number, StreamPiece[]>();
  const failures: unknown[] = [];
  const follower = new AuditFollower({
    reader,
    index,
    monotonicMs: () => clock.monotonicMs(),
    send: (stream, piece) => {
      const sent = pieces.get(stream);
      if (sent === undefined) pieces.set(stream, [piece]);
      else sent.push(piece);
    },
    onFailure: (error) => failures.push(error),
  });
  /** Until there is nothing more to do. */
  const catchUp = async () => {
    for (let turns = 0; turns < 1_000 && (await follower.turn()); turns++);
    for (let turns = 0; turns < 1_000 && (await follower.indexTurn()); turns++);
    await settle();
  };
  /** What a stream has been sent since the last time; it counts as taken. */
  const take = (stream: number): string => {
    const taken = pieces.get(stream) ?? [];
    pieces.delete(stream);
    for (const { text } of taken) follower.taken(stream, text.length);
    return taken.map(({ text }) => text).join('');
  };
  const end = async () => {
    await index.close();
    await reader.close();
  };
  return { reader, index, follower, failures, pieces, catchUp, take, end };
}

function readerPlace({ name }: DatabaseKind, { location }: DatabasePlace): ReaderPlace {
  return name === 'sqlite'
    ? { dialect: 'sqlite', directory: location }
    : { dialect: 'postgres', url: location };
}
