/** Writes git's `pre-commit` hook, which lets no commit pass that would add a secret. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { CommandFailure, EXIT } from '../exit-code.ts';
import type { Repository } from './git.ts';

export interface InstalledHook {
  readonly path: string;
  readonly state: 'installed' | 'updated' | 'unchanged';
}

const SIGN = '# Written by keyfold scan --install-hook.';
const EXECUTABLE = 0o755;
const PROGRAM = fileURLToPath(new URL(`../main${extname(import.meta.filename)}`, import.meta.url));

/** Where `core.hooksPath` says, if it does. Throws `CommandFailure` when there is a hook of another's making. */
export async function installHook(repository: Repository): Promise<InstalledHook> {
  const folder = resolve(repository.folder, await repository.read(['rev-parse', '--git-path', 'hooks']));
  const path = join(folder, 'pre-commit');
  const script = renderHook();
  const present = readHook(path);
  if (present === script) return { path, state: 'unchanged' };
  if (present !== undefined && !present.includes(SIGN)) {
    throw new CommandFailure(EXIT.failure, `${path} exists already, and stays as it is.`, {
      advice: `Add this line to it:\n${renderCommand()} || exit 1`,
      code: 'hook_exists',
    });
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, script);
  chmodSync(path, EXECUTABLE);
  return { path, state: present === undefined ? 'installed' : 'updated' };
}

/** Runs the program that wrote it, which need not be on the PATH; if that is gone, the one on the PATH; else nothing passes. */
function renderHook(): string {
  return `#!/bin/sh
${SIGN} To be rid of it, delete this file.
# Lets no commit pass that would add a secret. Exit code 10: secrets were found.
node=${quote(execPath)}
program=${quote(PROGRAM)}
if [ -x "$node" ] && [ -f "$program" ]; then
  exec "$node" "$program" scan --staged
fi
if command -v keyfold >/dev/null 2>&1; then
  exec keyfold scan --staged
fi
echo "keyfold was not found, so that this commit was not scanned for secrets and does not pass." >&2
echo "Install it and run keyfold scan --install-hook again, or delete the hook: $0" >&2
exit 1
`;
}

function renderCommand(): string {
  return `${quote(execPath)} ${quote(PROGRAM)} scan --staged`;
}

/** For a POSIX shell: nothing in it is special. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function readHook(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
