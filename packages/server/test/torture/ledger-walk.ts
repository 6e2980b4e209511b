/**
 * Torture: a random walk of one ledger inside the harness, step by step against a model: bursts of reservations, settlements,
 * releases, second resolutions, deaths, full disks, and a wall clock that jumps. Nothing here depends on the operating
 * system's timing, so a seed repeats the walk exactly.
 */
import { nanos } from '@keyfold/protocol';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { Fault } from '../../src/kernel/fault.ts';
import { createNewId } from '../../src/kernel/new-id.ts';
import { SystemRandom } from '../../src/kernel/random.ts';
import { SteadyClock } from '../../src/kernel/steady-clock.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { Recovery } from '../../src/ledger/recover.ts';
import type { Reservation } from '../../src/ledger/reservation.ts';
import type { Database } from '../../src/storage/database.ts';
import type { DatabaseKind, DatabasePlace } from '../databases.ts';
import { ManualClock } from '../manual-clock.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { Violation } from './campaign.ts';
import { CALL, RESOLUTION, makeOrganization } from './walk-calls.ts';
import { WalkModel, budgetsOfWalk } from './walk-model.ts';

export interface WalkFigures {
  readonly scenario: string;
  readonly steps: Readonly<Record<string, number>>;
  readonly reservations: number;
  readonly refused: number;
}

export interface WalkExtent {
  readonly steps: number;
  readonly endsAtMs?: number | undefined;
}

const WEIGHTS = {
  burst: 40,
  settle: 40,
  release: 6,
  'resolve again': 6,
  'time passes': 10,
  'clock jumps': 4,
  death: 3,
  'disk fills': 1,
};
const BURST_MAX = 12;
const HOLD_MAX = 1_000;
const HOUR_MS = 3_600_000;
/** Pages that are left when the disk fills: a batch or two. */
const PAGES_LEFT = 2;

export async function walkLedger(
  kind: DatabaseKind,
  random: SeededRandom,
  extent: WalkExtent,
): Promise<WalkFigures> {
  const place = await kind.create();
  const walk = new Walk(place, random);
  try {
    await walk.open();
    const taken: Record<string, number> = {};
    for (let step = 0; step < extent.steps && performance.now() < (extent.endsAtMs ?? Infinity); step++) {
      const name = random.weighted(kind.name === 'sqlite' ? WEIGHTS : { ...WEIGHTS, 'disk fills': 0 });
      taken[name] = (taken[name] ?? 0) + 1;
      await walk.take(name);
      await walk.assertHolds(`step ${step}, ${name}`);
    }
    const { reserved, refused } = walk;
    return {
      scenario: `ledger against its model, ${kind.name}`,
      steps: taken,
      reservations: reserved,
      refused,
    };
  } finally {
    await walk.close();
    await place.remove();
  }
}

class Walk {
  reserved = 0;
  refused = 0;
  readonly #place: DatabasePlace;
  readonly #random: SeededRandom;
  readonly #machine = new ManualClock();
  readonly #model = new WalkModel();
  readonly #open = new Map<string, Reservation>();
  #resolved: Reservation | undefined;
  #database: Database | undefined;
  #ledger: Ledger | undefined;
  #clock = new SteadyClock(this.#machine, () => undefined);

  constructor(place: DatabasePlace, random: SeededRandom) {
    this.#place = place;
    this.#random = random;
  }

  /** As a process starts: a clock that believes the machine, and recovery before anything else. */
  async open(pagesMax?: number): Promise<void> {
    this.#clock = new SteadyClock(this.#machine, () => undefined);
    this.#model.believe(this.#machine.nowMs() - this.#machine.monotonicMs());
    const database = await this.#place.open({
      nowMs: () => this.#clock.nowMs(),
      ...(pagesMax === undefined ? {} : { pagesMax }),
    });
    const clock = this.#clock;
    this.#database = database;
    await makeOrganization(database);
    const newId = createNewId(clock, new SystemRandom());
    this.#ledger = new Ledger({ database, audit: new AuditLog(database, clock), clock, newId });
    const recovery = new Recovery({ database, ledger: this.#ledger, clock }, { lookAgainAfterMs: 1 });
    const { expired, failed } = await recovery.recoverAtStart();
    if (expired !== this.#open.size || failed > 0)
      throw new Violation(`${this.#open.size} reservations were left, ${expired} expired, ${failed} failed`);
    for (const reservation of this.#open.values()) this.#model.resolve(reservation, reservation.held);
    this.#open.clear();
  }

  async close(): Promise<void> {
    await this.#database?.close();
    this.#database = undefined;
  }

  async take(step: keyof typeof WEIGHTS): Promise<void> {
    const random = this.#random;
    switch (step) {
      case 'burst':
        await this.#burst(random.between(1, BURST_MAX));
        break;
      case 'settle':
      case 'release':
        await this.#resolve(step === 'settle' ? 'settlement' : 'release');
        break;
      case 'resolve again':
        await this.#resolveAgain();
        break;
      case 'time passes':
        this.#machine.advance(random.between(1, 20_000));
        break;
      case 'clock jumps': {
        const byMs = random.between(-30 * 24, 30 * 24) * HOUR_MS + random.between(-4_000, 4_000);
        this.#machine.setTo(this.#machine.nowMs() + byMs);
        break;
      }
      case 'death':
        await this.close();
        await this.open();
        break;
      case 'disk fills':
        await this.#fillDisk();
        break;
    }
    // The server reads its clock all the time.
    this.#model.tick(this.#machine.nowMs(), this.#machine.monotonicMs());
    const [said, believed] = [this.#clock.nowMs(), this.#model.nowMs(this.#machine)];
    if (said !== Math.floor(believed)) throw new Violation(`the clock says ${said}, and should ${believed}`);
  }

  /** Every balance is the model's, and what is reserved is what the model knows to be open. */
  async assertHolds(when: string): Promise<void> {
    const database = this.#running;
    await database.barrier();
    const rows = await database.read((db) => db.selectFrom('balances').selectAll());
    const found = rows.map(
      (row) => `${row.budget_id} ${row.period_start}: ${row.posted_nanos} ${row.held_nanos}`,
    );
    const expected = this.#model.render();
    const held = found.filter((row) => !row.endsWith(': 0 0')).toSorted();
    if (held.join('\n') !== expected.join('\n'))
      throw new Violation(
        `${when}: the balances are\n${held.join('\n')}\nand should be\n${expected.join('\n')}`,
      );
    const passed = this.#model.findPassedCap();
    if (passed !== undefined) throw new Violation(`${when}: ${passed}`);
    const reserved = await database.read((db) => db.selectFrom('reservations').select('id'));
    if (reserved.length !== this.#open.size)
      throw new Violation(`${when}: ${reserved.length} reservations instead of ${this.#open.size}`);
  }

  get #running(): Database {
    if (this.#database === undefined) throw new Error('no process runs');
    return this.#database;
  }

  /** All at once; they take effect in the order in which they were asked for. */
  async #burst(count: number): Promise<void> {
    const asked = Array.from({ length: count }, () => {
      const budgets = budgetsOfWalk().filter(() => this.#random.chance(0.7));
      return { budgets, amount: nanos(BigInt(this.#random.between(1, HOLD_MAX))) };
    });
    const answers = await Promise.all(asked.map((each) => this.#reserve(each)));
    for (const [index, answer] of answers.entries()) {
      const each = asked[index];
      if (each === undefined) continue;
      const fits = this.#model.reserve(each, this.#machine);
      if (fits !== (answer !== undefined))
        throw new Violation(
          `a reservation of ${each.amount} ${fits ? 'was refused and' : 'was made and does not'} fit`,
        );
      if (answer === undefined) this.refused++;
      else {
        this.reserved++;
        this.#open.set(answer.id, answer);
      }
    }
  }

  async #reserve(of: {
    readonly budgets: ReturnType<typeof budgetsOfWalk>;
    readonly amount: Reservation['held'];
  }): Promise<Reservation | undefined> {
    const answer = await this.#ledger?.reserve({
      call: CALL,
      ...of,
      estimate: of.amount,
      credit: undefined,
      claims: [],
      organizationRevision: 1,
    });
    return typeof answer === 'object' && 'holds' in answer ? answer : undefined;
  }

  #pickOpen(): Reservation | undefined {
    const open = [...this.#open.values()];
    return open.length === 0 ? undefined : this.#random.pick(open);
  }

  async #resolve(kind: 'settlement' | 'release'): Promise<void> {
    const reservation = this.#pickOpen();
    if (reservation === undefined) return;
    // Now and then the provider reports more than was held.
    const most = this.#random.chance(0.05) ? 2 * HOLD_MAX : Number(reservation.held);
    const cost = nanos(kind === 'release' ? 0n : BigInt(this.#random.between(0, most)));
    if ((await this.#ledger?.resolve(reservation, { ...RESOLUTION, kind, cost })) !== true)
      throw new Violation(`${reservation.id} was open, and its ${kind} changed nothing`);
    this.#open.delete(reservation.id);
    this.#resolved = reservation;
    this.#model.resolve(reservation, cost);
  }

  async #resolveAgain(): Promise<void> {
    if (this.#resolved === undefined) return;
    const resolution = { ...RESOLUTION, kind: 'settlement', cost: nanos(1n) } as const;
    if ((await this.#ledger?.resolve(this.#resolved, resolution)) !== false)
      throw new Violation(`${this.#resolved.id} was resolved twice`);
  }

  /** Until one reservation is refused by the disk; what is reserved then is resolved by the next process, which has room. */
  async #fillDisk(): Promise<void> {
    // What is left must be resolved first: on a full disk recovery fails, and is tried again and again.
    await this.close();
    await this.open();
    const [row] = await this.#running.read<{ pages: bigint }>((db) => ({
      compile: () => ({ ...db.selectFrom('facts').selectAll().compile(), sql: PAGE_COUNT, parameters: [] }),
    }));
    await this.close();
    await this.open(Number(row?.pages ?? 0n) + PAGES_LEFT);
    for (let isFull = false; !isFull;) {
      const asked = Array.from({ length: BURST_MAX }, () =>
        this.#reserve({ budgets: [], amount: nanos(1n) }),
      );
      for (const answer of await Promise.allSettled(asked)) {
        if (answer.status === 'fulfilled' && answer.value !== undefined)
          this.#open.set(answer.value.id, answer.value);
        else if (answer.status === 'rejected' && answer.reason instanceof Fault) isFull = true;
        else if (answer.status === 'rejected') throw answer.reason;
      }
    }
    if (this.#ledger?.postponed === 0) throw new Violation('it is forgotten which commits failed');
    await this.close();
    await this.open();
  }
}

const PAGE_COUNT = 'select page_count as pages from pragma_page_count()';
