/**
 * Archives old audit records, segment by segment, in an order in which a crash loses nothing: the file, its line in the
 * manifest, then the rows, few in one commit and with pauses, so that no running call waits for it.
 */
import { setTimeout } from 'node:timers/promises';
import { type ArchiveRoot, readArchiveEnd } from '../audit/archive/archive-roots.ts';
import { isArchiver, releaseLease, takeLease } from '../audit/archive/archiver-lease.ts';
import type { HoldStore } from '../audit/archive/hold-store.ts';
import { type ManifestEntry, appendEntry, findEntry } from '../audit/archive/manifest.ts';
import { type ArchiveRooms, commitArchived, hasUpTo, removeSome } from '../audit/archive/remove-archived.ts';
import { type PlanRooms, isSegmentOf, planSegment, writeSegment } from '../audit/archive/segment.ts';
import { readStretches } from '../audit/export/read-chain.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault, describeError } from '../kernel/fault.ts';
import type { Database } from '../storage/database.ts';

const PAUSE_MS = 20;
/** One turn; the next goes on. */
const SEGMENTS_PER_TURN_MAX = 100;
const DAY_MS = 86_400_000;

export interface ArchiveAuditRooms extends PlanRooms, ArchiveRooms {
  readonly auditHolds: HoldStore;
  readonly clock: Clock;
}

/** What has just been done, and is durable. */
export type ArchiveStage = 'file' | 'manifest' | 'recorded' | 'removed';

export interface ArchiveAuditOptions {
  readonly keptDays: number;
  readonly folder: string;
  /** A turn ends early when it says so. */
  readonly isStopping: () => boolean;
  readonly pause?: () => Promise<unknown>;
  /** Called after each stage: a process may die there. */
  readonly onStage?: (stage: ArchiveStage) => void;
}

/**
 * Does nothing while another process does it, and while there is a legal hold. What is wrong with one node does not keep the
 * others: it is thrown when all had their turn.
 */
export async function archiveOldAudit(rooms: ArchiveAuditRooms, options: ArchiveAuditOptions): Promise<void> {
  const { database, auditHolds } = rooms;
  if ((await auditHolds.isAnyActive()) || !(await takeLease(database))) return;
  const failures: unknown[] = [];
  try {
    // Looked at again: a hold that came in between has found nobody to stop.
    if (await auditHolds.isAnyActive()) return;
    for (const { node } of await readStretches(database)) {
      await archiveNode(rooms, node, options).catch((error: unknown) => failures.push(error));
    }
  } finally {
    await releaseLease(database);
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map(describeError).join('; '));
}

async function archiveNode(
  rooms: ArchiveAuditRooms,
  node: number,
  options: ArchiveAuditOptions,
): Promise<void> {
  for (let segments = 0; segments < SEGMENTS_PER_TURN_MAX && !options.isStopping(); segments++) {
    if (!(await archiveNext(rooms, node, options))) return;
  }
}

/** Whether there may be more. */
async function archiveNext(
  rooms: ArchiveAuditRooms,
  node: number,
  options: ArchiveAuditOptions,
): Promise<boolean> {
  const { database, clock } = rooms;
  const archived = await readArchiveEnd(rooms, node);
  if (archived !== undefined && !(await removeLeft(database, archived, options))) return false;
  const earlier = await findEntry(options.folder, { node, first: (archived?.last ?? 0) + 1 });
  const isOurs = earlier !== undefined && (await isSegmentOf(database, earlier));
  const entry = isOurs ? earlier : await writeNext(rooms, node, options);
  if (entry === undefined) return false;
  if (!(await commitArchived(rooms, entry, clock.nowMs()))) return false;
  options.onStage?.('recorded');
  return removeAll(database, { node, through: entry.last }, options);
}

/** What an earlier turn has left, if the archive has it: its row alone is no proof of that. */
async function removeLeft(
  database: Database,
  archived: ArchiveRoot,
  options: ArchiveAuditOptions,
): Promise<boolean> {
  const { node, first, last, sha256 } = archived;
  if (!(await hasUpTo(database, { node, through: last }))) return true;
  const entry = await findEntry(options.folder, { node, first });
  if (entry?.last !== last || entry.sha256 !== sha256 || !(await isSegmentOf(database, archived))) {
    throw new Fault('internal', {
      internal: `node ${node} has records that count as archived up to ${last}, and the archive does not have them as they are; none is removed`,
    });
  }
  return removeAll(database, { node, through: last }, options);
}

async function writeNext(
  rooms: ArchiveAuditRooms,
  node: number,
  { keptDays, folder, onStage }: ArchiveAuditOptions,
): Promise<ManifestEntry | undefined> {
  const { database, clock } = rooms;
  // Whole days: a segment a day, and not one for each checkpoint.
  const beforeMs = Math.floor((clock.nowMs() - keptDays * DAY_MS) / DAY_MS) * DAY_MS;
  const segment = await planSegment(rooms, { node, beforeMs });
  if (segment === undefined) return undefined;
  const file = await writeSegment(database, segment, { folder, beforeMs });
  if (file === undefined) return undefined;
  onStage?.('file');
  if (!(await isArchiver(database))) return undefined;
  const entry = { ...segment, ...file };
  await appendEntry(folder, entry, clock.nowMs());
  onStage?.('manifest');
  return entry;
}

/** False when it was ended before all were removed. */
async function removeAll(
  database: Database,
  of: { readonly node: number; readonly through: number },
  { isStopping, pause = () => setTimeout(PAUSE_MS), onStage }: ArchiveAuditOptions,
): Promise<boolean> {
  while (!isStopping()) {
    const removed = await removeSome(database, of);
    if (removed !== 'some') return removed === 'none';
    onStage?.('removed');
    await pause();
  }
  return false;
}
