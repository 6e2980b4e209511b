/**
 * Torture: two processes on one PostgreSQL, both under load, of which one is killed again and again while the other lives;
 * then they change places. What the dead one leaves is resolved by whoever is there, and nothing is lost.
 */
import { join } from 'node:path';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { type BooksPlace, readBooks } from './books.ts';
import { Campaign, PATIENCE, Violation, afterMs } from './campaign.ts';
import { type Figures, addTotals, countFault, noFigures } from './figures.ts';
import { ANSWERS, type Extent, isDone, kindOf, placeOf } from './victim.ts';

/** Kills of the one, then of the other; then a fresh database. */
const KILLS_A_TURN = 25;
const RESOLVED_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 250;
const DIES_AGAIN = 0.2;
const KILL = 'kill -9';

export async function killOneOfTwo(random: SeededRandom, extent: Extent): Promise<Figures> {
  const figures = noFigures('kill -9 of one of two processes, postgres');
  for (let database = 0; !isDone(figures, KILL, extent); database++) {
    await torturePair(random.fork(`database ${database}`), figures, extent);
  }
  return figures;
}

interface Member {
  readonly keyfold: KeyfoldProcess;
  readonly environment: Readonly<Record<string, string>>;
}

interface Pair {
  readonly living: Member;
  readonly dying: Member;
  readonly adminKey: string;
  readonly place: BooksPlace;
}

async function torturePair(random: SeededRandom, figures: Figures, extent: Extent): Promise<void> {
  await using first = await createKeyfoldProcess(kindOf('postgres'));
  await first.start(PATIENCE);
  await using second = await createKeyfoldProcess(kindOf('sqlite'));
  const shared = {
    ...PATIENCE,
    KEYFOLD_DATABASE_URL: first.databaseUrl ?? '',
    KEYFOLD_ROOT_KEY_FILE: join(first.dataDir, 'root.key'),
  };
  await second.start(shared);
  await using campaign = await Campaign.begin(first, random);
  const [one, other] = [
    { keyfold: first, environment: PATIENCE },
    { keyfold: second, environment: shared },
  ];
  const pair = { adminKey: first.adminKey, place: placeOf(first) };
  const done = figures.faults[KILL] ?? 0;
  const half = { ...extent, count: Math.min(extent.count, done + KILLS_A_TURN) };
  await killAgainAndAgain({ pair: { ...pair, living: one, dying: other }, campaign, random, figures }, half);
  const rest = { ...extent, count: Math.min(extent.count, done + 2 * KILLS_A_TURN) };
  const turned = { ...pair, living: other, dying: one };
  await killAgainAndAgain({ pair: turned, campaign, random: random.fork('turned'), figures }, rest);
  addTotals(figures, await campaign.check(pair.place, 'in the end', { isQuiet: true }));
}

interface Turn {
  readonly pair: Pair;
  readonly campaign: Campaign;
  readonly random: SeededRandom;
  readonly figures: Figures;
}

/** The one that lives does so until everything is resolved: it counts for how long the other was gone. */
async function killAgainAndAgain(turn: Turn, extent: Extent): Promise<void> {
  if (isDone(turn.figures, KILL, extent)) return;
  const { place } = turn.pair;
  for (let round = 0; !isDone(turn.figures, KILL, extent); round++) {
    await killOnce(turn, turn.random.fork(`round ${round}`), `round ${round}`);
    extent.onProgress?.(turn.figures);
  }
  const endsAtMs = performance.now() + RESOLVED_WITHIN_MS;
  for (let left = Infinity; left > 0; await afterMs(LOOK_EVERY_MS)) {
    left = (await readBooks(place, { withAudit: false })).reservations.length;
    if (left > 0 && performance.now() > endsAtMs)
      throw new Violation(`${left} reservations are left ${RESOLVED_WITHIN_MS} ms after the last kill`);
  }
  await noteSlowest(place, turn.figures);
}

async function killOnce(
  { pair, campaign, figures }: Turn,
  random: SeededRandom,
  when: string,
): Promise<void> {
  const { living, dying, place } = pair;
  await campaign.payers.renew({ url: living.keyfold.url, adminKey: pair.adminKey });
  const load = campaign.startLoad(({ number }) => (number % 2 === 0 ? living : dying).keyfold.url);
  const enough = load.answered(random.between(ANSWERS.from, ANSWERS.to));
  figures.looks += await campaign.lookUntil(enough, place, when);
  await dying.keyfold.signal('SIGKILL');
  countFault(figures, KILL);
  if (random.chance(DIES_AGAIN)) {
    dying.keyfold.spawn(dying.environment);
    await afterMs(random.between(50, 900));
    await dying.keyfold.signal('SIGKILL');
    countFault(figures, KILL);
    countFault(figures, 'of these, while starting');
  }
  // The other goes on alone for a while, and is not kept waiting by what the dead one held.
  await afterMs(random.between(0, 500));
  await dying.keyfold.start(dying.environment);
  await load.stop();
  await campaign.check(place, when, { isQuiet: false });
  await assertNoneIsOld(place, when);
}

async function assertNoneIsOld(place: BooksPlace, when: string): Promise<void> {
  const { reservations } = await readBooks(place, { withAudit: false });
  for (const { id, reserved_at: reservedAt } of reservations) {
    const ageMs = Date.now() - Number(reservedAt);
    if (ageMs > RESOLVED_WITHIN_MS)
      throw new Violation(`${when}: ${id} is ${ageMs} ms old and still not resolved`);
  }
}

/** The books themselves say how long each that was left had to wait. */
async function noteSlowest(place: BooksPlace, figures: Figures): Promise<void> {
  const { calls } = await readBooks(place, { withAudit: false });
  for (const call of calls) {
    if (call.resolution !== 'expiry') continue;
    const tookMs = Number(call.duration_ms);
    figures.slowestRecoveryMs = Math.max(figures.slowestRecoveryMs, tookMs);
    if (tookMs > RESOLVED_WITHIN_MS)
      throw new Violation(`${call.id} was resolved only ${tookMs} ms after it was reserved`);
  }
}
