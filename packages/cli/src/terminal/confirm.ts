/** Asks before what cannot be undone. */
import { createInterface } from 'node:readline/promises';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';

/** Resolves on "y" or "yes"; else throws `CommandFailure`. A script, which has no terminal, has decided already. */
export async function confirm({ stdin, stderr }: Context, question: string): Promise<void> {
  if (stdin.isTTY !== true) return;
  const lines = createInterface({ input: stdin, output: stderr });
  const cancelled = new AbortController();
  lines.once('SIGINT', () => cancelled.abort());
  lines.once('close', () => cancelled.abort());
  const answer = await lines.question(`${question} [y/N] `, { signal: cancelled.signal }).catch(() => '');
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure(EXIT.failure, 'Nothing was changed.');
}
