/** Test support: what befalls a process's writing session on PostgreSQL. */
import pg from 'pg';

const PAUSE_MS = 20;
const TIMEOUT_MS = 10_000;

/** Ends the writing session of a node, as an administrator or a restart of the server does. */
export async function endSession(url: string, node: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rowCount } = await client.query(
    `select pg_terminate_backend(pid) from pg_locks
       where locktype = 'advisory' and objsubid = 2 and granted and objid = $1
       and database = (select oid from pg_database where datname = current_database())`,
    [node],
  );
  await client.end();
  if (rowCount !== 1) throw new Error(`node ${node} has ${rowCount} sessions`);
}

/** Asks again until there is an answer. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const endMs = Date.now() + TIMEOUT_MS; Date.now() < endMs;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`no answer within ${TIMEOUT_MS} ms`);
}
