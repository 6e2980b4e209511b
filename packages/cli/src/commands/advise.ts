/** Says what to do about a refusal where the command knows better than the status code does. */
import { CommandFailure } from '../exit-code.ts';
import type { ProblemError } from '../remote/control-client.ts';
import { explainFailure } from '../remote/explain-failure.ts';

/** The refusal with its own exit code and message, and this advice in place of the general one. */
export function adviseOn(error: ProblemError, advice: string): unknown {
  const explained = explainFailure(error);
  if (!(explained instanceof CommandFailure)) return explained;
  return new CommandFailure(explained.exitCode, explained.message, { ...explained.detail, advice });
}
