/** Says in one line why a server did not start, and what to do. */
import { CommandFailure, EXIT } from '../exit-code.ts';
import type { Config } from '../server-config.ts';

const ADVICE: Readonly<Record<string, (config: Config) => string>> = {
  EADDRINUSE: () =>
    'Another program listens there: stop it, or choose another address with --listen HOST:PORT.',
  EADDRNOTAVAIL: () => 'This machine has no such address: choose one that it has with --listen HOST:PORT.',
  EACCES: ({ dataDir }) =>
    `Ports below 1024 need a privilege; files must belong to this user, those in ${dataDir} above all.`,
  ENOENT: () => 'Create the file, or correct its path: keyfold config shows every path.',
  ENOSPC: () => 'Free space on the disk of the data directory.',
  ECONNREFUSED: () => 'Start PostgreSQL, or correct KEYFOLD_DATABASE_URL.',
  ENOTFOUND: () => 'Correct the host in KEYFOLD_DATABASE_URL or KEYFOLD_LISTEN.',
};

export function explainStartFailure(error: unknown, config: Config): CommandFailure {
  const message = error instanceof Error ? firstLine(error.message) : String(error);
  const code = findCode(error);
  const advise = code === undefined ? undefined : ADVICE[code];
  return new CommandFailure(EXIT.failure, `Keyfold did not start: ${message}`, {
    advice: advise?.(config) ?? 'keyfold doctor checks what it needs.',
    code: code ?? 'start_failed',
    cause: error,
  });
}

/** The system's code of the error or of what caused it. */
function findCode(error: unknown): string | undefined {
  for (
    let current = error, depth = 0;
    current instanceof Error && depth < 8;
    current = current.cause, depth++
  ) {
    const code: unknown = 'code' in current ? current.code : undefined;
    if (typeof code === 'string' && Object.hasOwn(ADVICE, code)) return code;
  }
  return undefined;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
