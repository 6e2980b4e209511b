/** Torture: the process that is killed: where its books are, whether its files are whole, how it comes back. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { until } from '../gateway/support.ts';
import type { KeyfoldProcess } from '../keyfold-process.ts';
import { type BooksPlace, checkIntegrity, readBooks } from './books.ts';
import { PATIENCE, Violation } from './campaign.ts';
import type { Figures } from './figures.ts';

export interface Extent {
  /** Faults of the scenario's kind; a run ends with the round in which they are reached. */
  readonly count: number;
  /** By `performance.now()`; a run ends with the round in which it is reached. */
  readonly endsAtMs?: number | undefined;
  readonly onProgress?: ((figures: Figures) => void) | undefined;
}

/** How many calls are answered between two faults. What crashes cost in percent depends on it. */
export const ANSWERS = { from: 1_000, to: 2_000 };
const RESOLVED_WITHIN_MS = 5_000;

export function isDone(figures: Figures, fault: string, { count, endsAtMs }: Extent): boolean {
  return (figures.faults[fault] ?? 0) >= count || performance.now() >= (endsAtMs ?? Infinity);
}

export function kindOf(name: DatabaseKind['name']): DatabaseKind {
  const kind = DATABASE_KINDS.find((each) => each.name === name);
  if (kind === undefined) throw new Error(`there is no ${name}`);
  return kind;
}

export function fileOf({ dataDir }: Pick<KeyfoldProcess, 'dataDir'>): string {
  return join(dataDir, 'data', 'keyfold.db');
}

export function placeOf(keyfold: Pick<KeyfoldProcess, 'dataDir' | 'databaseUrl'>): BooksPlace {
  return keyfold.databaseUrl === undefined ? { file: fileOf(keyfold) } : { url: keyfold.databaseUrl };
}

/** Starts it, alone, and waits until it has resolved what was left. Throws `Violation` when that takes too long. */
export async function startAndResolve(
  keyfold: KeyfoldProcess,
  figures: Figures,
  when: string,
): Promise<void> {
  const startMs = performance.now();
  await keyfold.start(PATIENCE);
  const listensMs = performance.now() - startMs;
  await until(async () => {
    const { reservations } = await readBooks(placeOf(keyfold), { withAudit: false });
    return reservations.length === 0 ? true : undefined;
  });
  const tookMs = performance.now() - startMs;
  figures.slowestRecoveryMs = Math.max(figures.slowestRecoveryMs, tookMs);
  if (tookMs > RESOLVED_WITHIN_MS)
    throw new Violation(
      `${when}: what was left was resolved only ${tookMs} ms after the start; it listened after ${listensMs} ms`,
    );
}

/** Looks at a copy of SQLite's files: whoever opens them recovers them, and that is left to Keyfold. */
export function assertWhole(keyfold: Pick<KeyfoldProcess, 'dataDir' | 'databaseUrl'>, when: string): void {
  if (keyfold.databaseUrl !== undefined) return;
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-copy-'));
  try {
    for (const name of ['keyfold.db', 'keyfold.db-wal', 'keyfold.db-journal']) {
      const from = join(keyfold.dataDir, 'data', name);
      if (existsSync(from)) copyFileSync(from, join(directory, name));
    }
    const found = checkIntegrity(join(directory, 'keyfold.db'));
    if (found !== 'ok') throw new Violation(`${when}: the database is damaged: ${found}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
