/** `keyfold serve`: runs the gateway until a signal asks it to stop. */
import type { Command } from 'commander';
import type { Context, RunningServer } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples } from '../help.ts';
import { type Config, loadConfig } from '../server-config.ts';
import { type SettingOptions, addSettingOptions, readSources } from './setting-options.ts';
import { explainStartFailure } from './start-failure.ts';

export function addServe(program: Command, context: Context): void {
  const serve = addSettingOptions(program.command('serve'))
    .description(
      'Run the gateway. SIGTERM or Ctrl-C lets running calls finish; a second one ends it at once.',
    )
    .action((options: SettingOptions) => runServer(context, loadConfig(readSources(context, options))));
  addExamples(serve, 'keyfold serve', 'keyfold serve --listen 127.0.0.1:9000 --log-level debug');
}

async function runServer(context: Context, config: Config): Promise<void> {
  const { promise: stopAsked, resolve: askToStop } = Promise.withResolvers<void>();
  listenForSignals(context, askToStop);
  // Told to stop before it is up: what has been opened by then is still closed in order.
  const server = await start(context, config);
  await stopAsked;
  if (context.stderr.isTTY === true) {
    context.stderr.write('Stopping: running calls may finish. Once more to end at once.\n');
  }
  await stop(server);
}

async function start(context: Context, config: Config): Promise<RunningServer> {
  const { startKeyfold } = await context.loadServer();
  try {
    return await startKeyfold(config, { write: (text) => void context.stdout.write(text) });
  } catch (error) {
    throw explainStartFailure(error, config);
  }
}

function listenForSignals(context: Context, stop: () => void): void {
  let signals = 0;
  const listener = () => {
    signals++;
    if (signals === 1) stop();
    else context.exit(EXIT.failure);
  };
  context.onSignal('SIGINT', listener);
  context.onSignal('SIGTERM', listener);
}

async function stop(server: RunningServer): Promise<void> {
  try {
    await server.stop();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(EXIT.failure, `The server did not stop in order: ${reason}`, {
      advice: 'The next start repairs what was left; nothing that was recorded is lost.',
      cause: error,
    });
  }
}
