/** Runs one command line: finds the command, turns every outcome into an exit code, and prints errors with what to do. */
import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { addAudit } from './commands/audit/audit.ts';
import { addAlerts } from './commands/alerts.ts';
import { addBudgets } from './commands/budgets.ts';
import { addCredits } from './commands/credits.ts';
import { addCalls } from './commands/calls.ts';
import { addConfig } from './commands/config.ts';
import { addCredentials } from './commands/credentials.ts';
import { addDoctor } from './commands/doctor.ts';
import { addInit } from './commands/init.ts';
import { addKeys } from './commands/keys.ts';
import { addLeaks } from './commands/leaks.ts';
import { addModels } from './commands/models.ts';
import { addProjects } from './commands/projects.ts';
import { addRoutes } from './commands/routes.ts';
import { addScan } from './commands/scan.ts';
import { addServe } from './commands/serve.ts';
import { addWebhooks } from './commands/webhooks.ts';
import { addCorrect } from './commands/correct.ts';
import { addReconcile } from './commands/reconcile.ts';
import { addUsage } from './commands/usage.ts';
import type { Context } from './context.ts';
import { CommandFailure, EXIT, type ExitCode } from './exit-code.ts';
import { explainFailure } from './remote/explain-failure.ts';
import { ConfigError } from './server-config.ts';
import { createStyle } from './terminal/style.ts';
import { escapeUnsafe } from './terminal/table.ts';

const HELP_FOOTER = `
Commands that ask a server find it by KEYFOLD_URL and KEYFOLD_ADMIN_KEY (or KEYFOLD_ADMIN_KEY_FILE).
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 not found, 5 unreachable, 10 secrets found.
`;

/** Never rejects. `argv` begins after the program's name. */
export async function runCli(argv: readonly string[], context: Context): Promise<ExitCode> {
  const program = createProgram(context);
  let isJson = false;
  program.hook('preAction', (_program, command) => {
    isJson = command.opts()['json'] === true;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed its own message by now.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const failure = toFailure(error);
    context.stderr.write(isJson ? renderJson(failure) : renderText(failure, context));
    return failure.exitCode;
  }
}

/** Every command, for running and for the test that compares them with docs/cli.md. */
export function createProgram(context: Context): Command {
  const { stdout, stderr } = context;
  const program = new Command('keyfold')
    .description('Keyfold: a self-hosted AI gateway and API-key manager.')
    .version(manifest.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('(--help shows what the command takes)')
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .addHelpText('after', HELP_FOOTER);
  program.commandsGroup('Run a server:');
  for (const add of [addServe, addInit, addDoctor, addConfig]) add(program, context);
  program.commandsGroup('Ask a server:');
  for (const add of [
    addKeys,
    addLeaks,
    addCredentials,
    addRoutes,
    addProjects,
    addBudgets,
    addCredits,
    addUsage,
    addCorrect,
    addReconcile,
    addCalls,
    addAudit,
    addModels,
    addAlerts,
    addWebhooks,
  ]) {
    add(program, context);
  }
  addScan(program.commandsGroup('Find leaked keys:'), context);
  return program;
}

function toFailure(error: unknown): CommandFailure {
  const explained = explainFailure(error);
  if (explained instanceof CommandFailure) return explained;
  if (explained instanceof ConfigError) {
    return new CommandFailure(EXIT.usage, explained.problems.join('\n'), {
      advice: 'Correct the configuration; docs/configuration.md lists every setting.',
      code: 'invalid_configuration',
    });
  }
  const message = explained instanceof Error ? explained.message : String(explained);
  return new CommandFailure(EXIT.failure, message, { cause: explained });
}

function renderText({ message, detail }: CommandFailure, { stderr, env }: Context): string {
  const style = createStyle(stderr, env);
  const lines = message.split('\n').map((line) => `${style('bad', 'error:')} ${escapeUnsafe(line)}\n`);
  if (detail.advice !== undefined) lines.push(`${detail.advice}\n`);
  if (detail.requestId !== undefined)
    lines.push(style('quiet', `(request ${escapeUnsafe(detail.requestId)})`) + '\n');
  return lines.join('');
}

function renderJson({ message, exitCode, detail }: CommandFailure): string {
  const { code, status, advice, requestId } = detail;
  const error = { message, advice, code, status, request_id: requestId, exit_code: exitCode };
  return `${JSON.stringify({ error }, null, 2)}\n`;
}
