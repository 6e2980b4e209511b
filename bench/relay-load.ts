/** Runs the relay probe against one target, on the load's core. */
import { join } from 'node:path';
import { BENCH_DIR, PINNED_NODE } from './places.ts';
import type { ProcessGroup } from './processes.ts';
import type { RelayLoad, RelayResult } from './relay-probe.ts';
import type { Call } from './target.ts';

/** Long enough that what a call costs by itself hardly counts. */
const EVENTS = 250;
const GAP_MS = 20;
const TIMEOUT_MS = EVENTS * GAP_MS * 4 + 5000;

/** Streams that do not arrive whole are counted in the result, not thrown. */
export async function runRelay(
  group: ProcessGroup,
  call: Call,
  options: { core: number; streams: number; providerPort: number },
): Promise<RelayResult> {
  const { core, streams, providerPort } = options;
  const load: RelayLoad = {
    call,
    streams,
    providerPort,
    events: EVENTS,
    gapMs: GAP_MS,
    timeoutMs: TIMEOUT_MS,
  };
  const stdout = await group.run({
    core,
    command: PINNED_NODE,
    args: [join(BENCH_DIR, 'relay-probe.ts')],
    env: { ...process.env, BENCH_RELAY_LOAD: JSON.stringify(load) },
    timeoutMs: TIMEOUT_MS + 10_000,
  });
  return JSON.parse(stdout) as RelayResult;
}
