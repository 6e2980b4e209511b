/** Gives the tests `strace`, which records what a process writes and syncs: the one on PATH, else Debian's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const COMMAND = 'apt-get install -y --no-install-recommends strace';

/** The command to run. Installs Debian's package where it may; else throws, naming the command that would help. */
export function provideStrace(): string {
  if (isThere()) return 'strace';
  if (process.platform !== 'linux')
    throw new Error('The power-loss tests need strace, and so Linux; every other test runs here.');
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    throw new Error(`The tests need strace. Install it (Debian: sudo ${COMMAND}).`);
  }
  process.stderr.write(`strace is not installed; running: ${COMMAND}\n`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  execFileSync('sh', ['-c', COMMAND], { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  if (!isThere()) throw new Error(`${COMMAND} succeeded, and there is still no strace`);
  return 'strace';
}

function isThere(): boolean {
  return spawnSync('strace', ['-V']).status === 0;
}
