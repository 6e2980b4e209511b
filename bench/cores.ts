/** Splits the machine in two: one core for the server under test, another for the mock provider and the load. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** Picks the first two cores that this process may use, and moves this process to the load's core. */
export function claimCores(): Cores {
  const [server, load] = readAllowedCores();
  if (server === undefined || load === undefined) throw new Error('the benchmark needs two cores');
  const moved = spawnSync('taskset', ['-apc', String(load), String(process.pid)], { encoding: 'utf8' });
  if (moved.status !== 0) throw new Error(`taskset failed: ${moved.stderr}`);
  return { server, load };
}

/** Parses the kernel's list format, for example `0-3,8`. */
function readAllowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  });
}
