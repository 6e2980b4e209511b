/**
 * Measures what many settled calls weigh and how fast they are reported, and prints it. Slow, so it is no test:
 * `npm run calls -- [--database sqlite|postgres] [--calls 1000000]`.
 */
import { parseArgs } from 'node:util';
import { providePostgres } from '../../../../test/services/postgres.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { fillKeyfold } from './filled-keyfold.ts';
import { USAGE_QUESTIONS, answer, pageQuestions } from './questions.ts';

const TIMES = 20;

const { values } = parseArgs({
  options: {
    database: { type: 'string', default: 'sqlite' },
    calls: { type: 'string', default: '1000000' },
  },
});
const kind = DATABASE_KINDS.find(({ name }) => name === values.database);
const calls = Number(values.calls);
if (kind === undefined || !Number.isSafeInteger(calls) || calls < 1)
  throw new RangeError('no such measurement');

const postgres = kind.name === 'postgres' ? await providePostgres() : undefined;
if (postgres !== undefined) process.env['KEYFOLD_TEST_POSTGRES_URL'] = postgres.url;
try {
  await using keyfold = await fillKeyfold(kind, calls);
  print(`${kind.name}: ${calls} calls, ${keyfold.fillMicros.toFixed(0)} µs of processor time each to make`);
  let all = 0;
  for (const [table, bytes] of [...keyfold.bytes].sort(([, a], [, b]) => b - a)) {
    all += bytes;
    if (bytes >= calls / 10)
      print(`  ${table.padEnd(24)}${(bytes / calls).toFixed(1).padStart(8)} bytes a call`);
  }
  print(`  ${'together'.padEnd(24)}${(all / calls).toFixed(1).padStart(8)} bytes a call`);
  for (const question of [...USAGE_QUESTIONS, ...(await pageQuestions(keyfold))]) {
    const answered = await answer(keyfold, question, TIMES);
    const [fastest, median, worst, processor] = [
      answered.fastestMs,
      answered.medianMs,
      answered.worstMs,
      answered.processorMs,
    ].map((ms) => ms.toFixed(1).padStart(6));
    print(
      `  ${question.name.padEnd(58)} fastest${fastest} median${median} worst${worst} processor${processor} ms`,
    );
  }
} finally {
  await postgres?.stop();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
