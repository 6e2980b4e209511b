/** Gives the tests a PostgreSQL: one that is named, else a private throw-away server from installed binaries. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestService {
  readonly url: string;
  stop(): Promise<void>;
}

const DEBIAN_ROOT = '/usr/lib/postgresql';
const START_ATTEMPTS = 200;
const START_PAUSE_MS = 50;

export async function providePostgres(): Promise<TestService> {
  const named = process.env['KEYFOLD_TEST_POSTGRES_URL'];
  if (named !== undefined) return { url: named, stop: () => Promise.resolve() };
  const binaries = findBinaries() ?? installBinaries();
  return startPrivate(binaries);
}

function findBinaries(): string | undefined {
  const debian = existsSync(DEBIAN_ROOT)
    ? readdirSync(DEBIAN_ROOT).sort((a, b) => Number(b) - Number(a))
    : [];
  const onPath = (process.env['PATH'] ?? '').split(':');
  const candidates = [...debian.map((version) => join(DEBIAN_ROOT, version, 'bin')), ...onPath];
  return candidates.find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  );
}

function installBinaries(): string {
  const command = 'apt-get install -y --no-install-recommends postgresql';
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    throw new Error(
      `The tests need PostgreSQL. Install it (Debian: sudo ${command}) or set KEYFOLD_TEST_POSTGRES_URL to a server whose user may create databases.`,
    );
  }
  process.stderr.write(`PostgreSQL is not installed; running: ${command}\n`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  const found = findBinaries();
  if (found === undefined) throw new Error('PostgreSQL was installed but initdb is nowhere to be found');
  return found;
}

async function startPrivate(binaries: string): Promise<TestService> {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-postgres-'));
  const owner = serverUser();
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  const asOwner = { cwd: directory, ...owner };
  const data = join(directory, 'data');
  const created = spawnSync(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'keyfold', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
    {
      ...asOwner,
      encoding: 'utf8',
    },
  );
  if (created.status !== 0) throw new Error(`initdb failed: ${created.stderr}`);
  const port = await freePort();
  // The throw-away server is never the one that is killed, so it need not wait for its disk.
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: 300,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(join(binaries, 'postgres'), ['-D', data, ...flags], { ...asOwner, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  await waitUntilReady({ binaries, port, isRunning: () => server.exitCode === null });
  return {
    url: `postgres://keyfold@127.0.0.1:${port}/postgres`,
    stop: async () => {
      server.kill('SIGINT');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root; its own user is there wherever a package installed it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

async function waitUntilReady(server: {
  binaries: string;
  port: number;
  isRunning: () => boolean;
}): Promise<void> {
  for (let attempt = 0; attempt < START_ATTEMPTS && server.isRunning(); attempt++) {
    const answer = spawnSync(join(server.binaries, 'pg_isready'), [
      '-q',
      '-h',
      '127.0.0.1',
      '-p',
      String(server.port),
    ]);
    if (answer.status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
  }
  throw new Error('the private PostgreSQL did not start');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
