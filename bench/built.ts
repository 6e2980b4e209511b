/** Lays out the compiled packages as an installation would have them, since what is published is what is measured. */
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PINNED_NODE, REPOSITORY_DIR } from './places.ts';

/** Beside the repository's own modules, in which the packages' dependencies are found. Ignored by git. */
const INSTALLATION = join(REPOSITORY_DIR, '.installed');

/** Builds, and returns the program's entry. Throws with the compiler's words when that fails. */
export function installBuilt(): string {
  const built = spawnSync(PINNED_NODE, ['test/build.ts'], { cwd: REPOSITORY_DIR, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the build failed: ${built.stdout}${built.stderr}`);
  const modules = join(INSTALLATION, 'node_modules');
  rmSync(INSTALLATION, { recursive: true, force: true });
  for (const [folder, name] of [
    ['protocol', '@keyfold/protocol'],
    ['server', '@keyfold/server'],
    ['cli', 'keyfold'],
  ] as const) {
    cpSync(join(REPOSITORY_DIR, 'packages', folder, 'dist'), join(modules, name), { recursive: true });
  }
  return join(modules, 'keyfold/src/main.js');
}

/** The line of the compiled writer after which a record is chained and stored. */
const APPENDING = '#appendRecord(body, nowMs) {';

/** The same program, but that no audit record is chained or stored: for what auditing costs, and for nothing else. */
export function installUnaudited(): string {
  installBuilt();
  const copy = `${INSTALLATION}-unaudited`;
  rmSync(copy, { recursive: true, force: true });
  cpSync(INSTALLATION, copy, { recursive: true });
  const writer = join(copy, 'node_modules/@keyfold/server/src/storage/sqlite/writer.js');
  const compiled = readFileSync(writer, 'utf8');
  if (!compiled.includes(APPENDING))
    throw new Error(`${writer} has no ${APPENDING}: the bench must be mended`);
  writeFileSync(writer, compiled.replace(APPENDING, `${APPENDING} return;`));
  return join(copy, 'node_modules/keyfold/src/main.js');
}
