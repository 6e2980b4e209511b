/** Makes sure that the programs the benchmark measures with, and against, are on the machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ECHO_MODULE_PATHS } from './nginx.ts';
import { BENCH_DIR, PINNED_NODE } from './places.ts';

const DEBIAN_PACKAGES = ['nginx', 'libnginx-mod-http-echo', 'wrk'];
const INSTALL_COMMAND = `apt-get update && apt-get install -y --no-install-recommends ${DEBIAN_PACKAGES.join(' ')}`;
const SERVICE_POLICY_FILE = '/usr/sbin/policy-rc.d';

/** Installs what is missing, saying so; throws an `Error` that names the command where it may not. */
export function prepareMachine(): void {
  if (process.platform !== 'linux')
    throw new Error('the benchmark reads /proc and pins cores: it needs Linux');
  if (!existsSync(PINNED_NODE)) throw new Error('run `npm ci` in the repository first');
  installDebianPackages();
  if (!isOnPath('taskset')) throw new Error('`taskset` (Debian package util-linux) is missing');
  installPeers();
}

function installDebianPackages(): void {
  const present = isOnPath('nginx') && isOnPath('wrk') && ECHO_MODULE_PATHS.some((path) => existsSync(path));
  if (present) return;
  if (!isOnPath('apt-get') || process.getuid?.() !== 0) {
    throw new Error(`nginx with its echo module and wrk are needed; on Debian, as root: ${INSTALL_COMMAND}`);
  }
  console.log(`installing Debian packages: ${DEBIAN_PACKAGES.join(', ')}`);
  withoutStartingServices(() =>
    runOrThrow('sh', ['-c', INSTALL_COMMAND], { DEBIAN_FRONTEND: 'noninteractive' }),
  );
}

/** Debian starts a service that it installs; the benchmark wants nginx's program, not a web server on port 80. */
function withoutStartingServices(install: () => void): void {
  if (existsSync(SERVICE_POLICY_FILE)) return install();
  writeFileSync(SERVICE_POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    rmSync(SERVICE_POLICY_FILE);
  }
}

function installPeers(): void {
  if (existsSync(join(BENCH_DIR, 'node_modules/@portkey-ai/gateway/package.json'))) return;
  console.log('installing the peer gateways: npm ci --ignore-scripts, in bench/');
  const path = `${dirname(PINNED_NODE)}${delimiter}${process.env['PATH'] ?? ''}`;
  runOrThrow('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { PATH: path });
}

function runOrThrow(command: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  const result = spawnSync(command, args, {
    cwd: BENCH_DIR,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')} failed:\n${result.stderr ?? String(result.error)}`);
  }
}

function isOnPath(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}
