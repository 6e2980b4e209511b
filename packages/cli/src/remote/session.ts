/** What every command that asks a server shares: its options, its client, and printing for people or for programs. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { readCount } from '../option-value.ts';
import { type Style, createStyle } from '../terminal/style.ts';
import { connect, DEFAULT_TIMEOUT_S, DEFAULT_URL } from './connect.ts';
import type { ControlClient } from './control-client.ts';

export interface RemoteOptions {
  readonly url?: string;
  readonly timeoutS?: number;
  readonly json?: true;
}

export interface Session {
  readonly client: ControlClient;
  readonly style: Style;
  /** Prints the API's own answer with `--json`, else what `render` makes of it. */
  print(answer: unknown, render: () => string): void;
  /** A remark for people; programs do not get it. */
  remark(text: string): void;
}

export function addRemoteOptions(command: Command): Command {
  return command
    .addOption(jsonOption())
    .option('--url <url>', `the server, instead of KEYFOLD_URL (default: ${DEFAULT_URL})`)
    .addOption(
      new Option(
        '--timeout-s <seconds>',
        `how long to wait for an answer (default: ${DEFAULT_TIMEOUT_S})`,
      ).argParser(readCount),
    );
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON, for programs');
}

/** Throws `CommandFailure` where there is no usable URL or key. */
export function openSession(context: Context, options: RemoteOptions): Session {
  const { stdout, stderr, env } = context;
  const isJson = options.json === true;
  const style = createStyle(stdout, env);
  return {
    client: connect(context, options),
    style,
    print: (answer, render) => stdout.write(isJson ? `${JSON.stringify(answer, null, 2)}\n` : render()),
    remark: (text) => {
      if (!isJson) stderr.write(createStyle(stderr, env)('quiet', text) + '\n');
    },
  };
}
