/**
 * Torture: one process under load, killed at random points, also while it starts; in between it is stopped in order, or its
 * disk is full. After each its files are whole, and the books hold what the provider has billed.
 */
import { statSync } from 'node:fs';
import type { DatabaseKind } from '../databases.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { Campaign, PATIENCE, afterMs } from './campaign.ts';
import { type Figures, addTotals, countFault, noFigures } from './figures.ts';
import { ANSWERS, type Extent, assertWhole, fileOf, isDone, placeOf, startAndResolve } from './victim.ts';

/** A database is left for a fresh one after so many: each is checked as a whole again and again. */
const ROUNDS_A_DATABASE = 25;
const FATES = { kill: 84, 'full disk': 9, stop: 7 };
const DIES_AGAIN = 0.25;
const KILL = 'kill -9';

export async function killOne(kind: DatabaseKind, random: SeededRandom, extent: Extent): Promise<Figures> {
  const figures = noFigures(`kill -9 of one process, ${kind.name}`);
  for (let database = 0; !isDone(figures, KILL, extent); database++) {
    const drawn = random.fork(`database ${database}`);
    await tortureDatabase({ kind, random: drawn, figures, name: `database ${database}` }, extent);
  }
  return figures;
}

async function tortureDatabase(
  of: {
    readonly kind: DatabaseKind;
    readonly random: SeededRandom;
    readonly figures: Figures;
    readonly name: string;
  },
  extent: Extent,
): Promise<void> {
  const { kind, random, figures, name } = of;
  await using keyfold = await createKeyfoldProcess(kind);
  await keyfold.start(PATIENCE);
  await keyfold.signal('SIGTERM');
  await keyfold.start(PATIENCE);
  await using campaign = await Campaign.begin(keyfold, random);
  for (let round = 0; round < ROUNDS_A_DATABASE && !isDone(figures, KILL, extent); round++) {
    const when = `${name}, round ${round}`;
    await tortureOnce({ keyfold, campaign, random: random.fork(`round ${round}`), figures, when });
    await campaign.check(placeOf(keyfold), when, { isQuiet: true });
    extent.onProgress?.(figures);
  }
  addTotals(figures, await campaign.check(placeOf(keyfold), name, { isQuiet: true }));
}

interface Round {
  readonly keyfold: KeyfoldProcess;
  readonly campaign: Campaign;
  readonly random: SeededRandom;
  readonly figures: Figures;
  readonly when: string;
}

/** Load, a fault, and a start after it. In the end the process runs and has resolved what was left. */
async function tortureOnce({ keyfold, campaign, random, figures, when }: Round): Promise<void> {
  // The disk of a PostgreSQL is not Keyfold's.
  const fate = random.weighted(keyfold.databaseUrl === undefined ? FATES : { ...FATES, 'full disk': 0 });
  await campaign.payers.renew(keyfold);
  if (fate === 'full disk') await restartOnFullDisk(keyfold, random);
  const load = campaign.startLoad(() => keyfold.url);
  const enough = load.answered(random.between(ANSWERS.from, ANSWERS.to));
  figures.looks += await campaign.lookUntil(enough, placeOf(keyfold), when);
  await afterMs(random.between(0, 20));
  await keyfold.signal(fate === 'stop' ? 'SIGTERM' : 'SIGKILL');
  countFault(figures, fate === 'stop' ? 'stop in order' : KILL);
  if (fate === 'full disk') countFault(figures, 'of these, on a full disk');
  await load.stop();
  assertWhole(keyfold, when);
  if (random.chance(DIES_AGAIN)) {
    keyfold.spawn(PATIENCE);
    await afterMs(random.between(50, 700));
    await keyfold.signal('SIGKILL');
    countFault(figures, KILL);
    countFault(figures, 'of these, while starting');
    assertWhole(keyfold, when);
  }
  await startAndResolve(keyfold, figures, when);
}

/** Grows until it is full some way on; where there is no room even to start, it is not full. */
async function restartOnFullDisk(keyfold: KeyfoldProcess, random: SeededRandom): Promise<void> {
  await keyfold.signal('SIGTERM');
  const usedKib = Math.ceil(statSync(fileOf(keyfold)).size / 1_024);
  const fileKibMax = usedKib + random.between(200, 1_500);
  await keyfold.start(PATIENCE, { fileKibMax }).catch(() => keyfold.start(PATIENCE));
}
