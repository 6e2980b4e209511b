/** Runs commands against a whole server on a database of its own, as its admin key. */
import { DATABASE_KINDS } from '../../server/test/databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../../server/test/keyfold.ts';
import { type RunResult, run } from './run.ts';

export interface RealServer extends AsyncDisposable {
  readonly keyfold: TestKeyfold;
  run(argv: readonly string[], stdin?: string): Promise<RunResult>;
  /** The JSON that the command prints. Throws what went wrong where it fails. */
  runJson(argv: readonly string[], stdin?: string): Promise<Readonly<Record<string, unknown>>>;
}

export async function startRealServer(): Promise<RealServer> {
  const [sqlite] = DATABASE_KINDS;
  if (sqlite === undefined) throw new Error('there is no kind of database');
  const keyfold = await startTestKeyfold(sqlite);
  const env = { KEYFOLD_URL: keyfold.url, KEYFOLD_ADMIN_KEY: keyfold.adminKey };
  return {
    keyfold,
    run: (argv, stdin = '') => run(argv, { env, stdin }),
    runJson: async (argv, stdin = '') => {
      const { code, stdout, stderr } = await run([...argv, '--json'], { env, stdin });
      if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    },
    [Symbol.asyncDispose]: () => keyfold.stop(),
  };
}
