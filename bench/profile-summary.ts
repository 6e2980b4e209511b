/** Says where the time of a `.cpuprofile` went: by area of the code, and by function. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { REPOSITORY_DIR } from './places.ts';

/** The parts of V8's format that are read here. Times are microseconds of the machine's monotonic clock. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface ProfileWindow {
  readonly fromMicros: number;
  readonly toMicros: number;
}

const FUNCTIONS_SHOWN = 30;
const REPOSITORY_URL = `${pathToFileURL(REPOSITORY_DIR).href}/`;

/** Two tables of self time; `window` leaves out what happened before and after it. */
export function summarizeProfile(file: string, window?: ProfileWindow): string {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const byArea = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let busyMicros = 0;
  let idleMicros = 0;
  for (const { nodeId, micros } of listSamples(profile, window)) {
    const frame = frames.get(nodeId);
    if (!frame) continue;
    if (frame.functionName === '(idle)') {
      idleMicros += micros;
      continue;
    }
    busyMicros += micros;
    const area = nameArea(frame.url, frame.functionName);
    const place = frame.url === '' ? area : `${shortenUrl(frame.url)}:${frame.lineNumber + 1}`;
    byArea.set(area, (byArea.get(area) ?? 0) + micros);
    const name = `${frame.functionName || '(anonymous)'}  ${place}`;
    byFunction.set(name, (byFunction.get(name) ?? 0) + micros);
  }
  return [
    `busy ${(busyMicros / 1e6).toFixed(2)} s, idle ${(idleMicros / 1e6).toFixed(2)} s; shares of the busy time, self time alone`,
    'by area',
    ...renderShares(byArea, busyMicros).slice(0, FUNCTIONS_SHOWN),
    'by function',
    ...renderShares(byFunction, busyMicros).slice(0, FUNCTIONS_SHOWN),
  ].join('\n');
}

/** A sample stands for the time until the next one. */
function listSamples(profile: CpuProfile, window?: ProfileWindow): { nodeId: number; micros: number }[] {
  let at = profile.startTime;
  return profile.samples.flatMap((nodeId, index) => {
    at += profile.timeDeltas[index] ?? 0;
    if (window && (at < window.fromMicros || at > window.toMicros)) return [];
    return { nodeId, micros: Math.max(0, profile.timeDeltas[index + 1] ?? 0) };
  });
}

/** A room of ours, a package, a module of Node, V8's own labels, or native code that V8 attributes to nothing. */
function nameArea(url: string, functionName: string): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'native';
  if (url.startsWith('node:')) return url;
  const path = shortenUrl(url);
  const dependency = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
  if (dependency) return `npm ${dependency}`;
  const [, workspace, room] = /^packages\/([^/]+)\/src\/(?:([^/]+)\/)?/.exec(path) ?? [];
  return workspace ? `${workspace}/${room ?? ''}` : path;
}

function shortenUrl(url: string): string {
  return url.startsWith(REPOSITORY_URL)
    ? url.slice(REPOSITORY_URL.length)
    : url.replace(/^file:\/\/.*\/node_modules\//, 'node_modules/');
}

function renderShares(micros: ReadonlyMap<string, number>, total: number): string[] {
  return [...micros.entries()]
    .sort(([, a], [, b]) => b - a)
    .map(([name, value]) => `${((value / total) * 100).toFixed(1).padStart(6)} %  ${name}`);
}

if (import.meta.main) {
  for (const file of process.argv.slice(2)) console.log(summarizeProfile(file));
}
