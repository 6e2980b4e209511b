#!/usr/bin/env -S node --max-semi-space-size=16
/** The entry point of `keyfold`: the only file that touches the process. */
import { runCli } from './run-cli.ts';

// A reader that has seen enough (`keyfold calls | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

/** What a command may leave open (a start that failed half-way) holds the process no longer than this. */
const LEAVE_AFTER_MS = 1_000;

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  loadServer: () => import('@keyfold/server'),
  onSignal: (signal, listener) => process.on(signal, listener),
  exit: (code) => process.exit(code),
});
// Only after a failure: what was printed by then is short, while a long list may wait for its reader.
if (process.exitCode !== 0) setTimeout(() => process.exit(), LEAVE_AFTER_MS).unref();
