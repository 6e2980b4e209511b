/** Writes a run's results: raw numbers as JSON, and the page that people read. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { TargetRounds } from './measure.ts';
import type { BenchOptions } from './options.ts';
import { BENCH_DIR, PINNED_NODE, RESULTS_DIR } from './places.ts';
import { divide, type Gate, type TargetSummary } from './summary.ts';

export interface Report {
  readonly options: BenchOptions;
  readonly rounds: readonly TargetRounds[];
  readonly summaries: readonly TargetSummary[];
  readonly gates: readonly Gate[];
}

const TITLES = {
  direct: 'the mock itself',
  nginx: 'nginx, bare proxy',
  bare: 'Node.js, bare relay',
  keyfold: 'Keyfold',
  unaudited: 'Keyfold without its audit log',
  portkey: 'Portkey',
};

/** Writes `latest.json` and `latest.md`; returns the text of the latter. */
export function writeReport(report: Report): string {
  const machine = describeMachine();
  mkdirSync(RESULTS_DIR, { recursive: true });
  writeFileSync(
    join(RESULTS_DIR, 'latest.json'),
    `${JSON.stringify({ machine, ...report }, undefined, 2)}\n`,
  );
  const page = renderPage(report, machine);
  writeFileSync(join(RESULTS_DIR, 'latest.md'), page);
  return page;
}

function renderPage(report: Report, machine: Record<string, string>): string {
  const { options, summaries, gates } = report;
  const calls = renderTable(
    [
      '',
      'requests/s',
      `p50, c=${options.connections}`,
      'p99',
      'CPU µs/request',
      'core busy',
      'p50, c=1',
      'p99, c=1',
      'MB idle',
      'MB max',
    ],
    summaries.map((row) => [
      TITLES[row.name],
      show(row.requestsPerSecond, 0),
      show(row.loadedP50Ms, 2, ' ms'),
      show(row.loadedP99Ms, 2, ' ms'),
      show(row.cpuMicrosPerRequest, 1),
      show(row.busyShare * 100, 0, ' %'),
      show(row.aloneP50Ms, 3, ' ms'),
      show(row.aloneP99Ms, 3, ' ms'),
      show(row.residentIdleMb, 0),
      show(row.residentMaxMb, 0),
    ]),
  );
  const streams = renderTable(
    [`${options.streams} streams`, 'dropped', 'first event p50', 'p99', 'gap p50', 'gap p99', 'CPU µs/event'],
    summaries.map((row) => [
      TITLES[row.name],
      show(row.streamsDropped, 0),
      show(row.firstEventP50Ms, 1, ' ms'),
      show(row.firstEventP99Ms, 1, ' ms'),
      show(row.gapP50Ms, 1, ' ms'),
      show(row.gapP99Ms, 1, ' ms'),
      show(row.cpuMicrosPerEvent, 1),
    ]),
  );
  const relay = renderTable(
    [
      `${options.relayStreams} streams, relayed`,
      'first event p50',
      'p99',
      'any event p50',
      'p99',
      'CPU µs/event',
    ],
    summaries.map((row) => [
      TITLES[row.name],
      show(row.relayFirstP50Ms, 2, ' ms'),
      show(row.relayFirstP99Ms, 2, ' ms'),
      show(row.relayEventP50Ms, 2, ' ms'),
      show(row.relayEventP99Ms, 2, ' ms'),
      row.name === 'direct' ? '–' : show(row.relayCpuMicrosPerEvent, 1),
    ]),
  );
  const judged = renderTable(
    ['gate', 'measured', ''],
    gates.map(({ name, measured, passed }) => [
      name,
      measured,
      passed === undefined ? '–' : passed ? 'pass' : 'FAIL',
    ]),
  );
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`);
  return `# Benchmark

Each server on one core, the mock provider and the load on another; medians of ${options.rounds} interleaved rounds of ${options.seconds} s.

${calls}

${streams}

${relay}

${renderTable(['Keyfold against', 'requests/s', 'CPU/request', 'p50, c=1'], renderRatios(summaries))}

${judged}

${facts.join('\n')}
`;
}

function renderRatios(summaries: readonly TargetSummary[]): string[][] {
  const keyfold = summaries.find(({ name }) => name === 'keyfold');
  return summaries
    .filter(({ name }) => name === 'nginx' || name === 'bare' || name === 'portkey')
    .map((peer) => [
      TITLES[peer.name],
      show(divide(keyfold?.requestsPerSecond, peer.requestsPerSecond), 2, ' ×'),
      show(divide(keyfold?.cpuMicrosPerRequest, peer.cpuMicrosPerRequest), 2, ' ×'),
      show(divide(keyfold?.aloneP50Ms, peer.aloneP50Ms), 2, ' ×'),
    ]);
}

function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(3, cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

function show(value: number, digits: number, unit = ''): string {
  return Number.isFinite(value) ? `${value.toFixed(digits)}${unit}` : '–';
}

function describeMachine(): Record<string, string> {
  const peer = JSON.parse(
    readFileSync(join(BENCH_DIR, 'node_modules/@portkey-ai/gateway/package.json'), 'utf8'),
  ) as { version: string };
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
  return {
    measured: new Date().toISOString(),
    processor: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
    system: `Linux ${release()}`,
    'Node.js': execFileSync(PINNED_NODE, ['--version'], { encoding: 'utf8' }).trim(),
    nginx: execFileSync('sh', ['-c', 'nginx -v 2>&1'], { encoding: 'utf8', env }).replace(/.*\//, '').trim(),
    Portkey: peer.version,
  };
}
