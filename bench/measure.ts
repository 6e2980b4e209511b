/** Runs the loads over the targets in interleaved rounds, so that a slow minute of the machine hits all of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchOptions, LoadName, TargetName } from './options.ts';
import { listProcessTree, measureProcesses, readResidentBytes } from './proc-stat.ts';
import type { ProcessGroup } from './processes.ts';
import type { StreamResult } from './stream-client.ts';
import { runStreams } from './stream-load.ts';
import type { Target } from './target.ts';
import { runWrk, type WrkResult } from './wrk-load.ts';

/** Between two measurements: what the last one left behind (closed sockets, a checkpoint) is not the next one's. */
const PAUSE_MS = 300;
const LATENCY_SECONDS_MAX = 3;

export interface ServerUse {
  readonly cpuMicros: number;
  readonly wallMicros: number;
  readonly residentBytesMax: number;
}

/** The rounds of one target; a load that was not asked for has none. */
export interface TargetRounds {
  readonly name: TargetName;
  readonly residentBytesIdle: number;
  readonly throughput: (WrkResult & ServerUse)[];
  readonly latency: (WrkResult & ServerUse)[];
  readonly streams: (StreamResult & ServerUse)[];
  /** Calls that arrived whole, warm-up included. */
  callsCompleted: number;
}

export interface Measurement {
  readonly group: ProcessGroup;
  readonly loadCore: number;
  readonly options: BenchOptions;
  readonly targets: readonly Target[];
}

export async function measureTargets(measurement: Measurement): Promise<TargetRounds[]> {
  const { targets, options } = measurement;
  const all = targets.map((target): { target: Target; rounds: TargetRounds } => ({
    target,
    rounds: {
      name: target.name,
      residentBytesIdle: readResidentBytes(listProcessTree(target.pid)),
      throughput: [],
      latency: [],
      streams: [],
      callsCompleted: 0,
    },
  }));
  if (options.warmupSeconds > 0) {
    for (const { target, rounds } of all) rounds.callsCompleted += await warmUp(measurement, target);
  }
  for (const load of options.loads) {
    for (let round = 1; round <= options.rounds; round++) {
      for (const { target, rounds } of all) {
        await sleep(PAUSE_MS);
        const told = await runLoad(measurement, load, { target, rounds });
        console.log(`${load} ${round}/${options.rounds} ${target.name.padEnd(8)} ${told}`);
      }
    }
  }
  return all.map(({ rounds }) => rounds);
}

async function warmUp(measurement: Measurement, target: Target): Promise<number> {
  const { options, group, loadCore: core } = measurement;
  const { connections, warmupSeconds: seconds } = options;
  return (await runWrk(group, target.chat, { core, connections, seconds })).requests;
}

/** Runs one load once, appends what it measured, and returns one line about it. */
async function runLoad(
  measurement: Measurement,
  load: LoadName,
  { target, rounds }: { target: Target; rounds: TargetRounds },
): Promise<string> {
  const { group, options, loadCore: core } = measurement;
  const pids = listProcessTree(target.pid);
  if (load === 'streams') {
    const measured = await measureProcesses(pids, () =>
      runStreams(group, target.stream, { core, streams: options.streams }),
    );
    const { result, ...use } = measured;
    rounds.streams.push({ ...result, ...use });
    rounds.callsCompleted += result.complete;
    const reasons = result.reasons.length > 0 ? ` (${result.reasons.join('; ')})` : '';
    return `${result.complete} complete, ${result.dropped} dropped${reasons}, first event p50 ${result.firstEventMs.p50.toFixed(1)} ms`;
  }
  const shape =
    load === 'throughput'
      ? { connections: options.connections, seconds: options.seconds }
      : { connections: 1, seconds: Math.min(options.seconds, LATENCY_SECONDS_MAX) };
  const { result, ...use } = await measureProcesses(pids, () =>
    runWrk(group, target.chat, { core, ...shape }),
  );
  rounds[load].push({ ...result, ...use });
  rounds.callsCompleted += result.requests;
  const perSecond = (result.requests * 1e6) / result.durationMicros;
  return `${perSecond.toFixed(0)} requests/s, p50 ${result.p50Micros} µs, ${(use.cpuMicros / result.requests).toFixed(1)} µs CPU each`;
}
