/** Reads `.keyfold-scan-allow`: fingerprints of findings that are known and accepted, one a line, `#` begins a comment. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure, EXIT } from '../exit-code.ts';

export const ALLOW_FILE = '.keyfold-scan-allow';

const LINE = /^\s*([0-9a-f]{16})?\s*(?:#.*)?$/;

/** Of the file in this folder; empty when there is none. Throws `CommandFailure` for a line that is no fingerprint. */
export function readAllowList(folder: string): ReadonlySet<string> {
  const path = join(folder, ALLOW_FILE);
  const fingerprints = new Set<string>();
  for (const [index, line] of readLines(path).entries()) {
    const match = LINE.exec(line);
    if (match === null) {
      throw new CommandFailure(EXIT.usage, `${path}, line ${index + 1} is not a fingerprint.`, {
        advice:
          'A fingerprint is 16 characters of 0-9 and a-f, as keyfold scan prints it. Comments begin with #.',
      });
    }
    if (match[1] !== undefined) fingerprints.add(match[1]);
  }
  return fingerprints;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') return [];
    throw new CommandFailure(EXIT.usage, `${path} cannot be read (${code}).`, { cause: error });
  }
}
