/** Runs the loads over the targets in interleaved rounds, so that a slow minute of the machine hits all of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchOptions, LoadName, TargetName } from './options.ts';
import { listProcessTree, measureProcesses, readResidentBytes } from './proc-stat.ts';
import type { ProcessGroup } from './processes.ts';
import type { StreamResult } from './stream-client.ts';
import { runRelay } from './relay-load.ts';
import type { RelayResult } from './relay-probe.ts';
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
  readonly relay: (RelayResult & ServerUse)[];
  /** Pairs: the same call with a bearer key, and signed. */
  readonly signing: { readonly bearer: WrkResult & ServerUse; readonly signed: WrkResult & ServerUse }[];
  /** Pairs: the same call under the budget of its key, and under those of key, project and organization. */
  readonly scopes: { readonly one: WrkResult & ServerUse; readonly three: WrkResult & ServerUse }[];
  /** Calls that arrived whole, warm-up included. */
  callsCompleted: number;
}

export interface Measurement {
  readonly group: ProcessGroup;
  readonly loadCore: number;
  readonly relayPort: number;
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
      relay: [],
      signing: [],
      scopes: [],
      callsCompleted: 0,
    },
  }));
  if (options.warmupSeconds > 0) {
    for (const { target, rounds } of all) rounds.callsCompleted += await warmUp(measurement, target);
  }
  for (const load of options.loads) {
    for (let round = 1; round <= options.rounds; round++) {
      for (const { target, rounds } of all) {
        if (load === 'signing' && target.signing === undefined) continue;
        if (load === 'scopes' && target.scopes === undefined) continue;
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
  if (load === 'relay') return runRelayLoad(measurement, { target, rounds });
  if (load === 'signing') return runSigning(measurement, { target, rounds });
  if (load === 'scopes') return runScopes(measurement, { target, rounds });
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

async function runRelayLoad(
  { group, options, loadCore: core, relayPort }: Measurement,
  { target, rounds }: { target: Target; rounds: TargetRounds },
): Promise<string> {
  const load = { core, streams: options.relayStreams, providerPort: relayPort };
  const { result, ...use } = await measureProcesses(listProcessTree(target.pid), () =>
    runRelay(group, target.relay, load),
  );
  rounds.relay.push({ ...result, ...use });
  rounds.callsCompleted += result.complete;
  const { firstEventMs, eventMs, complete, streams, events } = result;
  const perEvent = (use.cpuMicros / events).toFixed(1);
  return `${complete} of ${streams} complete, first event ${firstEventMs.p50.toFixed(2)} ms, p99 ${firstEventMs.p99.toFixed(2)}; every event ${eventMs.p50.toFixed(2)}, p99 ${eventMs.p99.toFixed(2)}; ${perEvent} µs CPU each`;
}

/** Signatures that are made for a second of load: more than any server here answers. */
const SIGNED_PER_SECOND_MAX = 20_000;

async function runSigning(
  { group, options, loadCore: core }: Measurement,
  { target, rounds }: { target: Target; rounds: TargetRounds },
): Promise<string> {
  if (target.signing === undefined) throw new Error(`${target.name} signs nothing`);
  const { bearer, signed } = target.signing;
  const pids = listProcessTree(target.pid);
  const shape = { core, connections: options.connections, seconds: options.seconds };
  const plain = await measureProcesses(pids, () => runWrk(group, bearer, shape));
  await sleep(PAUSE_MS);
  const { headers, file } = signed.prepare(options.seconds * SIGNED_PER_SECOND_MAX);
  const call = { ...signed, headers: { ...signed.headers, ...headers } };
  const proved = await measureProcesses(pids, () => runWrk(group, call, { ...shape, signaturesFile: file }));
  const pair = { bearer: flatten(plain), signed: flatten(proved) };
  rounds.signing.push(pair);
  rounds.callsCompleted += pair.bearer.requests + pair.signed.requests;
  const micros = ({ cpuMicros, requests }: WrkResult & ServerUse) => (cpuMicros / requests).toFixed(1);
  return `${micros(pair.bearer)} µs CPU with a bearer key, ${micros(pair.signed)} signed`;
}

/** In one process, one after the other, and the other way round in every second pair. */
async function runScopes(
  { group, options, loadCore: core }: Measurement,
  { target, rounds }: { target: Target; rounds: TargetRounds },
): Promise<string> {
  const { scopes } = target;
  if (scopes === undefined) throw new Error(`${target.name} has no budgets`);
  const pids = listProcessTree(target.pid);
  const shape = { core, connections: options.connections, seconds: options.seconds };
  const measure = async (count: 1 | 3) => {
    await scopes.setScopes(count);
    await sleep(PAUSE_MS);
    return flatten(await measureProcesses(pids, () => runWrk(group, scopes.call, shape)));
  };
  const isOneFirst = rounds.scopes.length % 2 === 0;
  const [first, second] = [await measure(isOneFirst ? 1 : 3), await measure(isOneFirst ? 3 : 1)];
  const pair = isOneFirst ? { one: first, three: second } : { one: second, three: first };
  rounds.scopes.push(pair);
  const perSecond = ({ requests, durationMicros }: WrkResult) =>
    ((requests * 1e6) / durationMicros).toFixed(0);
  return `${perSecond(pair.one)} requests/s under one budget, ${perSecond(pair.three)} under three`;
}

function flatten({ result, ...use }: { result: WrkResult } & ServerUse): WrkResult & ServerUse {
  return { ...result, ...use };
}
