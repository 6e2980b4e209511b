/** Reads from Linux's /proc what a server used: processor time and resident memory, over all its processes. */
import { readFileSync } from 'node:fs';

/** Linux counts the times in /proc/PID/stat in hundredths of a second (USER_HZ) on every platform Node runs on. */
const MICROS_PER_TICK = 10_000;

/** A process and its children, for example nginx's master and its worker. */
export function listProcessTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [
    pid,
    ...children
      .split(' ')
      .filter(Boolean)
      .flatMap((child) => listProcessTree(Number(child))),
  ];
}

/** User and system time since the start, all threads included. */
export function readCpuMicros(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * MICROS_PER_TICK;
}

export function readResidentBytes(pids: readonly number[]): number {
  let kibibytes = 0;
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    kibibytes += Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? NaN);
  }
  return kibibytes * 1024;
}

/** What a server used while `work` ran. Memory is the largest of samples taken every `sampleMs`. */
export async function measureProcesses<Result>(
  pids: readonly number[],
  work: () => Promise<Result>,
  sampleMs = 100,
): Promise<{ result: Result; cpuMicros: number; wallMicros: number; residentBytesMax: number }> {
  let residentBytesMax = readResidentBytes(pids);
  const sample = (): void => {
    residentBytesMax = Math.max(residentBytesMax, readResidentBytes(pids));
  };
  const timer = setInterval(sample, sampleMs);
  try {
    const cpuBefore = readCpuMicros(pids);
    const startedAt = process.hrtime.bigint();
    const result = await work();
    const wallMicros = Number(process.hrtime.bigint() - startedAt) / 1000;
    const cpuMicros = readCpuMicros(pids) - cpuBefore;
    sample();
    return { result, cpuMicros, wallMicros, residentBytesMax };
  } finally {
    clearInterval(timer);
  }
}
