/** Torture: the scenarios, how far each goes when nothing is said, and what its figures must be. */
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { Violation } from './campaign.ts';
import { type Figures, overchargePercent, renderFigures } from './figures.ts';
import { killOne } from './kills.ts';
import { walkLedger } from './ledger-walk.ts';
import { losePower } from './power-losses.ts';
import { killOneOfTwo } from './two-processes.ts';
import type { Extent } from './victim.ts';

export const SCENARIOS = ['kills', 'power-losses', 'two-processes', 'walk'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export interface Scenario {
  readonly name: ScenarioName;
  readonly database: DatabaseKind['name'];
  /** Faults, or steps, of a run that is not bounded otherwise. */
  readonly count: number;
  /** Throws `Violation`. */
  run(random: SeededRandom, extent: Extent): Promise<Record<string, unknown>>;
}

const OVERCHARGE_PERCENT_MAX = 1;
const COUNTS = { sqlite: 200, postgres: 25 };
const LOSSES = 50;
const KILLS_OF_TWO = 50;
const STEPS = 5_000;

export function listScenarios(): Scenario[] {
  return DATABASE_KINDS.flatMap((kind) => {
    const database = kind.name;
    const every: Scenario[] = [
      {
        name: 'kills',
        database,
        count: COUNTS[database],
        run: async (random, extent) => judge(await killOne(kind, random, extent)),
      },
      {
        name: 'walk',
        database,
        count: STEPS,
        run: async (random, { count, endsAtMs }) => ({
          ...(await walkLedger(kind, random, { steps: count, endsAtMs })),
        }),
      },
    ];
    const ofOne: Scenario =
      database === 'sqlite'
        ? {
            name: 'power-losses',
            database,
            count: LOSSES,
            run: async (random, extent) => judge(await losePower(random, extent)),
          }
        : {
            name: 'two-processes',
            database,
            count: KILLS_OF_TWO,
            run: async (random, extent) => judge(await killOneOfTwo(random, extent)),
          };
    return [...every, ofOne];
  });
}

/** Each draws from a stream of its own: alone it does what it does among the others. */
export function randomOf({ name, database }: Scenario, random: SeededRandom): SeededRandom {
  return random.fork(`${name} on ${database}`);
}

function judge(figures: Figures): Record<string, unknown> {
  const percent = overchargePercent(figures);
  if (percent > OVERCHARGE_PERCENT_MAX)
    throw new Violation(`crashes have overcharged by ${percent} % of what was billed`);
  if (figures.postedNanos < figures.billedNanos)
    throw new Violation(`${figures.postedNanos} is posted, and ${figures.billedNanos} billed`);
  return renderFigures(figures);
}
