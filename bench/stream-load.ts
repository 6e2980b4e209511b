/** Runs the stream client against one target, on the load's core. */
import { join } from 'node:path';
import { STREAM_EVENTS, STREAM_GAP_MS } from './payload.ts';
import { BENCH_DIR, PINNED_NODE } from './places.ts';
import type { ProcessGroup } from './processes.ts';
import type { StreamLoad, StreamResult } from './stream-client.ts';
import type { Call } from './target.ts';

/** Ten times what an undisturbed stream takes, and a start. */
const TIMEOUT_MS = STREAM_EVENTS * STREAM_GAP_MS * 10 + 5000;

/** Opens `streams` at once. Dropped streams are counted in the result, not thrown. */
export async function runStreams(
  group: ProcessGroup,
  call: Call,
  options: { core: number; streams: number },
): Promise<StreamResult> {
  const load: StreamLoad = { call, streams: options.streams, events: STREAM_EVENTS, timeoutMs: TIMEOUT_MS };
  const stdout = await group.run({
    core: options.core,
    command: PINNED_NODE,
    args: [join(BENCH_DIR, 'stream-client.ts')],
    env: { ...process.env, BENCH_STREAM_LOAD: JSON.stringify(load) },
    timeoutMs: TIMEOUT_MS + 10_000,
  });
  return JSON.parse(stdout) as StreamResult;
}
