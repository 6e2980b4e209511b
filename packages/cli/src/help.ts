/** Help texts: every command ends with an example that works as it stands. */
import type { Command } from 'commander';

/** A command that only holds others: `keyfold keys`. */
export function addGroup(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).helpCommand(false);
}

/** Adds examples, one a line, to the command's help. */
export function addExamples(command: Command, ...examples: readonly string[]): Command {
  const title = examples.length === 1 ? 'Example' : 'Examples';
  return command.addHelpText('after', `\n${title}:\n${examples.map((line) => `  $ ${line}\n`).join('')}`);
}
