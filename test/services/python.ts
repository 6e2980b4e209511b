/** Gives the tests a Python that can import `requests` and `cryptography`: the one on PATH, else Debian's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const DEBIAN_PYTHON = '/usr/bin/python3';
const PACKAGES = ['python3', 'python3-requests', 'python3-cryptography'];

/** The command to run. Installs Debian's packages where it may; else throws, naming the command that would help. */
export function providePython(): string {
  const found = ['python3', DEBIAN_PYTHON].find(canImport);
  if (found !== undefined) return found;
  const command = `apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    throw new Error(
      `The tests need a python3 with the packages requests and cryptography. Install them (Debian: sudo ${command}; elsewhere: python3 -m pip install requests cryptography).`,
    );
  }
  process.stderr.write(`Python's requests and cryptography are not installed; running: ${command}\n`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  if (!canImport(DEBIAN_PYTHON))
    throw new Error(`${command} succeeded, and ${DEBIAN_PYTHON} still cannot import them`);
  return DEBIAN_PYTHON;
}

function canImport(python: string): boolean {
  return spawnSync(python, ['-c', 'import requests, cryptography.fernet']).status === 0;
}
