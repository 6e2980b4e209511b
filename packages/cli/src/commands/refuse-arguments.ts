/** Keeps a secret that somebody wrote among the arguments from being used, and from being repeated in the message. */
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.ts';

/** For commands that read a secret: they take no other arguments than these. */
export function refuseArguments(command: Command, { takes = 0 }: { takes?: 0 | 1 } = {}): Command {
  // Commander's own refusal would print what was written.
  return command.allowExcessArguments().hook('preAction', (_command, { args }) => {
    if (args.length <= takes) return;
    throw new CommandFailure(
      EXIT.usage,
      takes === 0 ? 'This command takes no argument.' : 'This command takes one argument.',
      {
        advice:
          'A secret is typed when asked, piped in, or read from a file that an option names: every user of a machine can read the arguments of its programs. What you wrote there may have been seen.',
      },
    );
  });
}
