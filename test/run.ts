/** `npm test`: provides the services that the suites need, runs every suite, and ends with the runner's own count. */
import { spawn } from 'node:child_process';
import { providePostgres } from './services/postgres.ts';

const SUITES = ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'test/**/*.test.ts'];
/** One test may take this long; those that need more say so themselves. */
const TEST_TIMEOUT_MS = 120_000;

const given = process.argv.slice(2);
const postgres = await providePostgres();
const runner = spawn(
  process.execPath,
  ['--test', `--test-timeout=${TEST_TIMEOUT_MS}`, ...(given.length > 0 ? given : SUITES)],
  { stdio: 'inherit', env: { ...process.env, KEYFOLD_TEST_POSTGRES_URL: postgres.url, NODE_ENV: 'test' } },
);
const code = await new Promise<number>((resolve) => {
  runner.once('exit', (status) => resolve(status ?? 1));
});
await postgres.stop();
process.exitCode = code;
