/** `npm run torture`: breaks Keyfold again and again, and says whether its books hold. Exits with 0 where they do, else with 1. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type TestService, providePostgres } from '../../../../test/services/postgres.ts';
import { SeededRandom } from '../seeded-random.ts';
import { Violation } from './campaign.ts';
import { type Figures, overchargePercent } from './figures.ts';
import { SCENARIOS, type Scenario, listScenarios, randomOf } from './scenarios.ts';

const USAGE = `npm run torture -- [options]
  --scenario NAME    ${SCENARIOS.join(', ')}; all of them without it
  --database NAME    sqlite or postgres; both without it
  --count N          faults, or steps of a walk, for each scenario
  --minutes N        go on for so long instead, shared among the scenarios
  --seed N           make the choices of the run that printed it
  --json             print the figures as JSON, one line a scenario`;
const SEEDS = 2 ** 31;
const MINUTE_MS = 60_000;

const { values: given } = parseArgs({
  options: {
    scenario: { type: 'string' },
    database: { type: 'string' },
    count: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
let postgres: TestService | undefined;
// What was started ends with this process, however it ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void (postgres?.stop() ?? Promise.resolve()).finally(() => process.exit(1));
  });
}

if (given.help) process.stdout.write(`${USAGE}\n`);
else process.exitCode = await torture();

async function torture(): Promise<number> {
  const scenarios = listScenarios().filter(
    ({ name, database }) => (given.scenario ?? name) === name && (given.database ?? database) === database,
  );
  if (scenarios.length === 0) {
    process.stderr.write(`there is no such scenario\n${USAGE}\n`);
    return 1;
  }
  const seed = Number(given.seed ?? randomInt(SEEDS));
  tell(`seed ${seed}\n`);
  if (scenarios.some(({ database }) => database === 'postgres')) {
    postgres = await providePostgres();
    process.env['KEYFOLD_TEST_POSTGRES_URL'] = postgres.url;
  }
  const endsAtMs =
    given.minutes === undefined ? undefined : performance.now() + Number(given.minutes) * MINUTE_MS;
  let failed = 0;
  for (const [index, scenario] of scenarios.entries()) {
    const leftMs = endsAtMs === undefined ? undefined : endsAtMs - performance.now();
    const shareMs = leftMs === undefined ? undefined : leftMs / (scenarios.length - index);
    if (!(await runOne(scenario, seed, shareMs))) failed++;
  }
  await postgres?.stop();
  tell(failed === 0 ? 'the books hold\n' : `${failed} of ${scenarios.length} scenarios failed\n`);
  return failed === 0 ? 0 : 1;
}

async function runOne(scenario: Scenario, seed: number, shareMs: number | undefined): Promise<boolean> {
  const startMs = performance.now();
  const label = `${scenario.name} on ${scenario.database}`;
  const count =
    given.count === undefined ? (shareMs === undefined ? scenario.count : Infinity) : Number(given.count);
  try {
    const figures = await scenario.run(randomOf(scenario, new SeededRandom(seed)), {
      count,
      endsAtMs: shareMs === undefined ? undefined : startMs + shareMs,
      onProgress: (figures) => showProgress(label, figures),
    });
    report({ ok: true, seed, ...figures, took_s: secondsSince(startMs) });
    return true;
  } catch (error) {
    if (!(error instanceof Violation)) tell(`\n${label} broke down: ${String(error)}\n`);
    const problem = error instanceof Error ? error.message : String(error);
    report({ ok: false, seed, scenario: label, problem, took_s: secondsSince(startMs) });
    const repeat = `--scenario ${scenario.name} --database ${scenario.database} --seed ${seed}`;
    tell(`to make the same choices again: npm run torture -- ${repeat}\n`);
    return false;
  }
}

/** One line that is written over, where somebody watches. */
function showProgress(label: string, figures: Figures): void {
  if (!process.stderr.isTTY) return;
  const faults = Object.entries(figures.faults).map(([name, count]) => `${count} ${name}`);
  const percent = overchargePercent(figures).toFixed(2);
  process.stderr.write(`\r\u001B[K${label}: ${faults.join(', ')}; overcharged ${percent} %`);
}

function report(figures: Record<string, unknown>): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  if (given.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else {
    for (const [name, value] of Object.entries(figures)) {
      const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
      process.stdout.write(`${name.replaceAll('_', ' ').padEnd(32)} ${text}\n`);
    }
    process.stdout.write('\n');
  }
}

function tell(text: string): void {
  process.stderr.write(text);
}

function secondsSince(startMs: number): number {
  return Math.round((performance.now() - startMs) / 1_000);
}
