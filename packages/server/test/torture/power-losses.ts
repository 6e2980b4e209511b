/**
 * Torture: power losses under load on SQLite. A process runs under a tracer that records all that it writes, syncs and sends;
 * for each of many points of that record a disk is made as a power loss at that point may have left it, Keyfold is started on
 * it, and what it knows is held against what had left for the provider by then. The next record begins on such a disk.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provideStrace } from '../../../../test/services/strace.ts';
import { sendJson } from '../keyfold.ts';
import { createKeyfoldProcess } from '../keyfold-process.ts';
import { chatBody } from '../gateway/support.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { Campaign, PATIENCE, Violation } from './campaign.ts';
import { type Figures, addTotals, countFault, noFigures } from './figures.ts';
import { userOf } from './load.ts';
import type { Totals } from './model.ts';
import { PRICED } from './planned-call.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { type Extent, assertWhole, fileOf, isDone, kindOf, startAndResolve } from './victim.ts';
import { type TraceEvent, readTrace, tracerOf } from './syscall-trace.ts';

const LOSSES_A_RECORD = 10;
/** Enough that the log of SQLite is written into its database while it is recorded. */
const ANSWERS = { from: 2_500, to: 3_500 };
const IN_ORDER_STOP = 0.3;
const LOSS = 'power loss';

/** A disk as a loss left it, and what had happened by then. */
interface Left {
  readonly dataDir: string;
  readonly departed: ReadonlySet<number>;
  /** After Keyfold had resolved what it found there. */
  readonly totals: Totals;
}

export async function losePower(random: SeededRandom, extent: Extent): Promise<Figures> {
  const figures = noFigures('power loss, sqlite');
  const strace = provideStrace();
  let left: Left | undefined;
  let campaign: Campaign | undefined;
  try {
    for (let record = 0; !isDone(figures, LOSS, extent); record++) {
      const drawn = random.fork(`record ${record}`);
      const recorded = await recordLoad({ strace, random: drawn, left, campaign, figures });
      campaign = recorded.campaign;
      left = await loseAtEach({ ...recorded, campaign, random: drawn, left, figures }, extent);
    }
  } finally {
    await campaign?.[Symbol.asyncDispose]();
    if (left !== undefined) rmSync(left.dataDir, { recursive: true, force: true });
  }
  return figures;
}

interface Recording {
  readonly campaign: Campaign;
  readonly disk: SimulatedDisk;
  readonly events: readonly TraceEvent[];
  /** Index of the first event at which a loss is of interest: an installation that is half made holds no money. */
  readonly from: number;
}

/** A process under the tracer, from its start to its end, and load as soon as it listens. */
async function recordLoad(of: {
  readonly strace: string;
  readonly random: SeededRandom;
  readonly left: Left | undefined;
  readonly campaign: Campaign | undefined;
  readonly figures: Figures;
}): Promise<Recording> {
  const { strace, random, left } = of;
  await using keyfold =
    left === undefined
      ? await createKeyfoldProcess(kindOf('sqlite'))
      : await createKeyfoldProcess(kindOf('sqlite'), copyOf(left.dataDir));
  const disk = new SimulatedDisk(keyfold.dataDir);
  const traces = mkdtempSync(join(tmpdir(), 'keyfold-trace-'));
  const file = join(traces, 'trace');
  try {
    await keyfold.start(PATIENCE, { tracer: tracerOf(strace, file) });
    const campaign = of.campaign ?? (await Campaign.begin(keyfold, random));
    await campaign.payers.renew(keyfold);
    const before = campaign.lastNumber;
    const load = campaign.startLoad(() => keyfold.url);
    await load.answered(random.between(ANSWERS.from, ANSWERS.to));
    await keyfold.signal(random.chance(IN_ORDER_STOP) ? 'SIGTERM' : 'SIGKILL');
    await load.stop();
    const events = await readTrace(file, keyfold.dataDir);
    assertTellsAll(events, campaign, before);
    const from = left === undefined ? events.findIndex(({ kind }) => kind === 'departure') : 0;
    return { campaign, disk, events, from };
  } finally {
    rmSync(traces, { recursive: true, force: true });
  }
}

/** A call that left unseen would be held against nothing. */
function assertTellsAll(events: readonly TraceEvent[], campaign: Campaign, before: number): void {
  const departed = new Set(events.map((event) => (event.kind === 'departure' ? event.number : 0)));
  for (let number = before + 1; number <= campaign.lastNumber; number++) {
    if (campaign.provider.billOf(userOf(number)) !== undefined && !departed.has(number))
      throw new Error(`call ${number} reached the provider, and the trace does not show how it left`);
  }
}

interface Losses extends Recording {
  readonly random: SeededRandom;
  readonly left: Left | undefined;
  readonly figures: Figures;
}

/** Returns the disk of the last loss, on which the next record begins. */
async function loseAtEach(losses: Losses, extent: Extent): Promise<Left> {
  const { events, disk, random, figures } = losses;
  const departed = new Set(losses.left?.departed);
  let last: Left | undefined;
  let next = 0;
  for (const [number, point] of pickPoints(losses).entries()) {
    if (last !== undefined && isDone(figures, LOSS, extent)) break;
    for (; next < point; next++) {
      const event = events[next];
      if (event === undefined) break;
      disk.apply(event);
      if (event.kind === 'departure') departed.add(event.number);
    }
    if (last !== undefined) rmSync(last.dataDir, { recursive: true, force: true });
    const when = `loss ${number} at event ${point} of ${events.length}`;
    const isCheckpoint = isInCheckpoint(events[point]);
    last = await loseOnce(losses, new Set(departed), {
      random: random.fork(`loss ${number}`),
      when,
      isCheckpoint,
    });
    extent.onProgress?.(figures);
  }
  if (losses.left !== undefined) rmSync(losses.left.dataDir, { recursive: true, force: true });
  if (last === undefined) throw new Error('there was no point at which to lose power');
  return last;
}

/** In order; anywhere, just after a call has left, and while SQLite writes its log into its database. */
function pickPoints({ events, from, random }: Losses): number[] {
  const drawn = random.fork('points');
  const indexes = [...events.keys()].slice(from);
  const departures = indexes.filter((index) => events[index]?.kind === 'departure');
  const checkpoints = indexes.filter((index) => isInCheckpoint(events[index]));
  const points = Array.from({ length: LOSSES_A_RECORD }, () => {
    const where = drawn.weighted({ anywhere: 50, departure: 25, checkpoint: 25 });
    if (where === 'departure' && departures.length > 0) return drawn.pick(departures) + 1;
    return drawn.pick(where === 'checkpoint' && checkpoints.length > 0 ? checkpoints : indexes);
  });
  return points.toSorted((a, b) => a - b);
}

/** Of what is written into the database itself nearly all is. */
function isInCheckpoint(event: TraceEvent | undefined): boolean {
  return event?.kind === 'write' && event.path.endsWith('/keyfold.db');
}

/** What a loss now leaves is whole, is recovered in time, and covers every call that had left. */
async function loseOnce(
  losses: Losses,
  departed: ReadonlySet<number>,
  of: { readonly random: SeededRandom; readonly when: string; readonly isCheckpoint: boolean },
): Promise<Left> {
  const { campaign, disk, figures } = losses;
  const dataDir = mkdtempSync(join(tmpdir(), 'keyfold-lost-'));
  const survival = disk.writeImage(dataDir, of.random);
  const when = `${of.when}, of what was not synced ${survival} is left`;
  const known = {
    ...campaign.known,
    // Of a call that had not left when the power went, nothing is billed, whatever happened afterwards.
    provider: {
      billOf: (user: string) => (departed.has(numberOf(user)) ? campaign.provider.billOf(user) : undefined),
    },
  };
  assertWhole({ dataDir, databaseUrl: undefined }, when);
  await using keyfold = await createKeyfoldProcess(kindOf('sqlite'), copyOf(dataDir));
  await startAndResolve(keyfold, figures, when);
  const options = { isQuiet: true, mustBeBooked: departed };
  const totals = await campaign.check({ file: fileOf(keyfold) }, when, { ...options, known });
  await assertCalls(keyfold.url, campaign, when);
  countFault(figures, LOSS);
  countFault(figures, `of these, ${survival} left of what was not synced`);
  if (of.isCheckpoint) countFault(figures, 'of these, in a checkpoint');
  // Of each loss what came since the record before it.
  addTotals(figures, totals, losses.left?.totals);
  return { dataDir, departed, totals };
}

/** Keys and credentials are those of before: nothing that they hang on was lost. */
async function assertCalls(url: string, campaign: Campaign, when: string): Promise<void> {
  const body = chatBody({ model: PRICED.name, user: 'after the loss' });
  const options = { key: campaign.payers.secretOf('plain') };
  const answer = await sendJson(`${url}/v1/chat/completions`, { method: 'POST', body, options });
  if (answer.status !== 200) throw new Violation(`${when}: a call is answered ${answer.text}`);
}

function numberOf(user: string): number {
  return Number(/torture-call-(\d+);/.exec(user)?.[1]);
}

function copyOf(dataDir: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'keyfold-lost-'));
  cpSync(dataDir, copy, { recursive: true });
  return copy;
}
