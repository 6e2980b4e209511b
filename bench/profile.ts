/** Runs Keyfold under V8's sampling profiler during a load, and prints where the time went. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startKeyfold } from './keyfold.ts';
import type { BenchOptions } from './options.ts';
import type { Rig } from './peers.ts';
import { RESULTS_DIR } from './places.ts';
import { summarizeProfile } from './profile-summary.ts';
import { runRelay } from './relay-load.ts';
import { checkTarget } from './target.ts';
import { runWrk } from './wrk-load.ts';

/** Leaves one `.cpuprofile` for each thread in results/profile, for the browser's developer tools. */
export async function profileKeyfold(rig: Rig, options: BenchOptions): Promise<void> {
  const profileDir = join(RESULTS_DIR, 'profile');
  rmSync(profileDir, { recursive: true, force: true });
  mkdirSync(profileDir, { recursive: true });
  const target = await startKeyfold(rig, { profileDir });
  try {
    await checkTarget(target);
    const load = { core: rig.cores.load, connections: options.connections };
    if (options.warmupSeconds > 0)
      await runWrk(rig.group, target.chat, { ...load, seconds: options.warmupSeconds });
    const fromMicros = readMonotonicMicros();
    if (options.loads.includes('throughput')) {
      const result = await runWrk(rig.group, target.chat, { ...load, seconds: options.seconds });
      const perSecond = (result.requests * 1e6) / result.durationMicros;
      console.log(`${perSecond.toFixed(0)} requests/s under the profiler`);
    } else {
      const streams = { core: rig.cores.load, streams: options.relayStreams, providerPort: rig.relayPort };
      const result = await runRelay(rig.group, target.relay, streams);
      console.log(`${result.events} events under the profiler`);
    }
    const toMicros = readMonotonicMicros();
    await rig.group.stop('keyfold');
    const files = readdirSync(profileDir).filter((name) => name.endsWith('.cpuprofile'));
    if (files.length === 0) throw new Error('Keyfold wrote no profile when it was asked to end');
    for (const file of files.sort()) {
      console.log(`\n${file}`);
      console.log(summarizeProfile(join(profileDir, file), { fromMicros, toMicros }));
    }
  } finally {
    await rig.group.stop('keyfold');
    target.removeData();
  }
}

function readMonotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
