import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { SeededRandom } from '../seeded-random.ts';
import { listScenarios, randomOf } from './scenarios.ts';
import { effort } from '../../../../test/effort.ts';

/** So much of each scenario as fits into the time of a test run; `npm run torture` goes further. */
const COUNTS = {
  sqlite: { kills: effort(3, 5), walk: 200, 'power-losses': effort(3, 6), 'two-processes': 0 },
  postgres: { kills: 2, walk: 200, 'power-losses': 0, 'two-processes': effort(1, 2) },
};
const GUARANTEES = {
  kills:
    'a process that is killed again and again under load never knows of less than is billed, passes no cap, and resolves what was left within 5 s of its start',
  'power-losses':
    'whatever a power loss leaves of what was not synced, every call that had left is in the books',
  'two-processes':
    'of two processes under load one may be killed again and again: nothing is lost, and what it left is resolved within 90 s',
  walk: 'the ledger does what its model does, whatever dies, fills up or jumps',
};
const TIMEOUT_MS = 240_000;

/** `KEYFOLD_TEST_SEED` makes the choices of another run again. */
const seed = Number(process.env['KEYFOLD_TEST_SEED'] ?? randomInt(2 ** 31));

describe(`torture, seed ${seed}`, () => {
  for (const scenario of listScenarios()) {
    const { name, database } = scenario;
    test(`${GUARANTEES[name]}, on ${database}`, { timeout: TIMEOUT_MS }, async (context) => {
      const count = COUNTS[database][name];
      const figures = await scenario.run(randomOf(scenario, new SeededRandom(seed)), { count });
      context.diagnostic(JSON.stringify(figures));
    });
  }

  test('the same seed walks the same way', async () => {
    const walk = listScenarios().find(({ name, database }) => name === 'walk' && database === 'sqlite');
    assert.ok(walk);
    const again = () => walk.run(new SeededRandom(seed), { count: 25 });
    assert.deepEqual(await again(), await again());
  });
});
