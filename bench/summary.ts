/** Condenses rounds to medians, and holds them against the gates. */
import type { TargetName } from './options.ts';
import type { TargetRounds } from './measure.ts';
import { findMedian } from './statistics.ts';

/** Medians over the rounds; NaN where a load was not run. */
export interface TargetSummary {
  readonly name: TargetName;
  readonly requestsPerSecond: number;
  readonly loadedP50Ms: number;
  readonly loadedP99Ms: number;
  readonly cpuMicrosPerRequest: number;
  /** Share of its core that the server used under the throughput load: near 1, the server was the bottleneck. */
  readonly busyShare: number;
  readonly aloneP50Ms: number;
  readonly aloneP99Ms: number;
  /** Over all rounds, not a median. */
  readonly streamsDropped: number;
  readonly firstEventP50Ms: number;
  readonly firstEventP99Ms: number;
  readonly gapP50Ms: number;
  readonly gapP99Ms: number;
  readonly cpuMicrosPerEvent: number;
  /** Of the relay load: from the provider's write to the client's read. */
  readonly relayFirstP50Ms: number;
  readonly relayFirstP99Ms: number;
  readonly relayEventP50Ms: number;
  readonly relayEventP99Ms: number;
  readonly relayCpuMicrosPerEvent: number;
  /** Processor time that a signed call of 1 KB costs more than the same with a bearer key. */
  readonly signingCpuMicros: number;
  /** Throughput under budgets of three scopes, of that under one. */
  readonly threeScopesShare: number;
  readonly residentIdleMb: number;
  /** The largest sample of all loads. */
  readonly residentMaxMb: number;
}

export interface Gate {
  readonly name: string;
  readonly measured: string;
  /** Undefined: the options left out what it needs. */
  readonly passed: boolean | undefined;
}

const NGINX_SHARE_MIN = 0.18;
const PORTKEY_FACTOR_MIN = 10;
const ADDED_P50_MS_MAX = 0.8;
const RESIDENT_MB_MAX = 250;
const SIGNING_CPU_MICROS_MAX = 15;
const THREE_SCOPES_SHARE_MIN = 0.9;
const AUDITED_SHARE_MIN = 0.85;
const RELAY_CPU_MICROS_MAX = 10;
const RELAY_FIRST_MS_MAX = 1;

export function summarizeTarget(rounds: TargetRounds): TargetSummary {
  const { throughput, latency, streams, relay } = rounds;
  const median = <Round>(list: readonly Round[], read: (round: Round) => number): number =>
    findMedian(list.map(read));
  const residentBytes = [...throughput, ...latency, ...streams, ...relay].map(
    (round) => round.residentBytesMax,
  );
  return {
    name: rounds.name,
    requestsPerSecond: median(throughput, (round) => (round.requests * 1e6) / round.durationMicros),
    loadedP50Ms: median(throughput, (round) => round.p50Micros / 1000),
    loadedP99Ms: median(throughput, (round) => round.p99Micros / 1000),
    cpuMicrosPerRequest: median(throughput, (round) => round.cpuMicros / round.requests),
    busyShare: median(throughput, (round) => round.cpuMicros / round.wallMicros),
    aloneP50Ms: median(latency, (round) => round.p50Micros / 1000),
    aloneP99Ms: median(latency, (round) => round.p99Micros / 1000),
    streamsDropped: streams.length === 0 ? NaN : streams.reduce((sum, round) => sum + round.dropped, 0),
    firstEventP50Ms: median(streams, (round) => round.firstEventMs.p50),
    firstEventP99Ms: median(streams, (round) => round.firstEventMs.p99),
    gapP50Ms: median(streams, (round) => round.gapMs.p50),
    gapP99Ms: median(streams, (round) => round.gapMs.p99),
    cpuMicrosPerEvent: median(streams, (round) => round.cpuMicros / round.events),
    relayFirstP50Ms: median(relay, (round) => round.firstEventMs.p50),
    relayFirstP99Ms: median(relay, (round) => round.firstEventMs.p99),
    relayEventP50Ms: median(relay, (round) => round.eventMs.p50),
    relayEventP99Ms: median(relay, (round) => round.eventMs.p99),
    relayCpuMicrosPerEvent: median(relay, (round) => round.cpuMicros / round.events),
    signingCpuMicros: median(
      rounds.signing,
      ({ bearer, signed }) => signed.cpuMicros / signed.requests - bearer.cpuMicros / bearer.requests,
    ),
    threeScopesShare: median(
      rounds.scopes,
      ({ one, three }) => three.requests / three.durationMicros / (one.requests / one.durationMicros),
    ),
    residentIdleMb: rounds.residentBytesIdle / 1e6,
    residentMaxMb: Math.max(...residentBytes) / 1e6,
  };
}

/** `calls`: what the ledger says against what was sent, when Keyfold could tell. */
export function judgeGates(
  summaries: readonly TargetSummary[],
  calls: { charged: number; completed: number } | undefined,
): Gate[] {
  const read = (name: TargetName, figure: Exclude<keyof TargetSummary, 'name'>): number =>
    summaries.find((summary) => summary.name === name)?.[figure] ?? NaN;
  const nginxShare = read('keyfold', 'requestsPerSecond') / read('nginx', 'requestsPerSecond');
  const portkeyFactor = read('keyfold', 'requestsPerSecond') / read('portkey', 'requestsPerSecond');
  const addedMs = read('keyfold', 'aloneP50Ms') - read('nginx', 'aloneP50Ms');
  return [
    gate(`requests per second ≥ ${NGINX_SHARE_MIN} × nginx`, nginxShare, {
      unit: '×',
      passes: (x) => x >= NGINX_SHARE_MIN,
    }),
    gate(`requests per second ≥ ${PORTKEY_FACTOR_MIN} × Portkey`, portkeyFactor, {
      unit: '×',
      passes: (x) => x >= PORTKEY_FACTOR_MIN,
    }),
    gate(`p50 of one call at a time ≤ nginx + ${ADDED_P50_MS_MAX} ms`, addedMs, {
      unit: ' ms more',
      passes: (x) => x <= ADDED_P50_MS_MAX,
    }),
    gate('no stream dropped', read('keyfold', 'streamsDropped'), {
      unit: ' dropped',
      passes: (x) => x === 0,
      digits: 0,
    }),
    gate(`resident memory < ${RESIDENT_MB_MAX} MB`, read('keyfold', 'residentMaxMb'), {
      unit: ' MB',
      passes: (x) => x < RESIDENT_MB_MAX,
      digits: 0,
    }),
    gate(
      `a signed call of 1 KB costs at most ${SIGNING_CPU_MICROS_MAX} µs of CPU more`,
      read('keyfold', 'signingCpuMicros'),
      { unit: ' µs', passes: (x) => x <= SIGNING_CPU_MICROS_MAX, digits: 1 },
    ),
    gate(
      `requests per second under budgets of three scopes ≥ ${THREE_SCOPES_SHARE_MIN} × one`,
      read('keyfold', 'threeScopesShare'),
      { unit: '×', passes: (x) => x >= THREE_SCOPES_SHARE_MIN },
    ),
    gate(
      `an event costs at most ${RELAY_CPU_MICROS_MAX} µs of CPU more than in a bare Node.js relay`,
      read('keyfold', 'relayCpuMicrosPerEvent') - read('bare', 'relayCpuMicrosPerEvent'),
      { unit: ' µs', passes: (x) => x <= RELAY_CPU_MICROS_MAX, digits: 1 },
    ),
    gate(
      `a stream's first event is delayed by at most ${RELAY_FIRST_MS_MAX} ms (p99)`,
      read('keyfold', 'relayFirstP99Ms') - read('direct', 'relayFirstP99Ms'),
      { unit: ' ms', passes: (x) => x <= RELAY_FIRST_MS_MAX },
    ),
    gate(
      `requests per second with the audit log ≥ ${AUDITED_SHARE_MIN} × without`,
      read('keyfold', 'requestsPerSecond') / read('unaudited', 'requestsPerSecond'),
      { unit: '×', passes: (x) => x >= AUDITED_SHARE_MIN },
    ),
    gate('every completed call is charged', calls ? calls.charged - calls.completed : NaN, {
      unit: ' more charged than completed (calls that the load cut off)',
      passes: (x) => x >= 0,
      digits: 0,
    }),
  ];
}

export function divide(part: number | undefined, whole: number | undefined): number {
  return (part ?? NaN) / (whole ?? NaN);
}

function gate(
  name: string,
  value: number,
  rule: { unit: string; passes: (value: number) => boolean; digits?: number },
): Gate {
  if (!Number.isFinite(value)) return { name, measured: 'not measured', passed: undefined };
  return { name, measured: `${value.toFixed(rule.digits ?? 2)}${rule.unit}`, passed: rule.passes(value) };
}
