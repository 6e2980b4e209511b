/** The command line of the benchmark: what may be chosen, and the bounds that keep a run short. */
import { parseArgs } from 'node:util';

export const TARGET_NAMES = ['direct', 'nginx', 'bare', 'unaudited', 'keyfold', 'portkey'] as const;
export const LOAD_NAMES = ['throughput', 'latency', 'streams', 'relay', 'signing', 'scopes'] as const;

/** What is measured. `direct` is the mock provider itself: what this machine can do with nothing in between. */
export type TargetName = (typeof TARGET_NAMES)[number];
export type LoadName = (typeof LOAD_NAMES)[number];

export interface BenchOptions {
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly rounds: number;
  readonly connections: number;
  readonly streams: number;
  /** Of the relay load. */
  readonly relayStreams: number;
  readonly targets: readonly TargetName[];
  readonly loads: readonly LoadName[];
  /** Exit with 1 when a gate is missed. */
  readonly gate: boolean;
  /** Run Keyfold alone under the sampling profiler and say where the time went. */
  readonly profile: boolean;
}

export const USAGE = `usage: node bench/run.ts [options]
  --seconds N      length of one measurement, 1 to 60 (5)
  --warmup N       seconds of load before the first round of each target, 0 to 30 (8)
  --rounds N       interleaved rounds, 1 to 20 (3); medians are reported
  --connections N  connections of the throughput load, 1 to 1000 (64)
  --streams N      concurrent streams, 1 to 2000 (500)
  --relay-streams N  concurrent streams of the relay load, 1 to 500 (200)
  --only A,B       of ${TARGET_NAMES.join(', ')} (all)
  --loads A,B      of ${LOAD_NAMES.join(', ')} (all)
  --gate           exit with 1 when a gate is missed
  --profile        profile Keyfold instead of measuring: under the throughput load, or with --loads relay under that
  --help           this text`;

/** Reads `args`; throws an `Error` that names the option when a value is not acceptable. Undefined: help was asked for. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '5' },
      warmup: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '64' },
      streams: { type: 'string', default: '500' },
      'relay-streams': { type: 'string', default: '200' },
      only: { type: 'string', default: TARGET_NAMES.join(',') },
      loads: { type: 'string', default: LOAD_NAMES.join(',') },
      gate: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    seconds: readCount(values.seconds, { option: '--seconds', min: 1, max: 60 }),
    warmupSeconds: readCount(values.warmup, { option: '--warmup', min: 0, max: 30 }),
    rounds: readCount(values.rounds, { option: '--rounds', min: 1, max: 20 }),
    connections: readCount(values.connections, { option: '--connections', min: 1, max: 1000 }),
    streams: readCount(values.streams, { option: '--streams', min: 1, max: 2000 }),
    relayStreams: readCount(values['relay-streams'], { option: '--relay-streams', min: 1, max: 500 }),
    targets: values.profile ? ['keyfold'] : readNames(values.only, TARGET_NAMES, '--only'),
    loads: readNames(values.loads, LOAD_NAMES, '--loads'),
    gate: values.gate,
    profile: values.profile,
  };
}

function readCount(text: string, rule: { option: string; min: number; max: number }): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < rule.min || count > rule.max) {
    throw new Error(`${rule.option} must be a whole number from ${rule.min} to ${rule.max}, not "${text}"`);
  }
  return count;
}

function readNames<Name extends string>(
  text: string,
  known: readonly Name[],
  option: string,
): readonly Name[] {
  const asked = new Set(text.split(',').map((name) => name.trim()));
  for (const name of asked) {
    if (!known.some((candidate) => candidate === name)) {
      throw new Error(`${option} takes some of ${known.join(', ')}; "${name}" is none of them`);
    }
  }
  return known.filter((name) => asked.has(name));
}
