/** Runs the command line in this process with streams in place of a terminal, or as a process of its own. */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { PassThrough } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Context, ServerModule } from '../src/context.ts';
import { runCli } from '../src/run-cli.ts';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Whether standard output says that it is a terminal. */
  readonly isTerminal?: boolean;
  readonly server?: ServerModule;
  /** Given the signal's listener when the command asks for it. */
  readonly onSignal?: Context['onSignal'];
  readonly exit?: Context['exit'];
}

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const stdin = new PassThrough();
  const stdout = Object.assign(new PassThrough(), { isTTY: options.isTerminal === true });
  const stderr = new PassThrough();
  stdin.end(options.stdin ?? '');
  const printed = Promise.all([text(stdout), text(stderr)]);
  const code = await runCli(argv, {
    env: options.env ?? {},
    cwd: options.cwd ?? tmpdir(),
    stdin,
    stdout,
    stderr,
    loadServer: () =>
      options.server === undefined
        ? Promise.reject(new Error('no server here'))
        : Promise.resolve(options.server),
    onSignal: options.onSignal ?? (() => undefined),
    exit: options.exit ?? (() => undefined),
  });
  stdout.end();
  stderr.end();
  const [printedOut, printedErr] = await printed;
  return { code, stdout: printedOut, stderr: printedErr };
}

/** As a shell would: the entry point, a process, its exit code. */
export async function spawnCli(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: 'pipe',
  });
  child.stdin.end(options.stdin ?? '');
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
  });
  const [stdout, stderr, code] = await Promise.all([buffer(child.stdout), buffer(child.stderr), exited]);
  return { code, stdout: stdout.toString(), stderr: stderr.toString() };
}
