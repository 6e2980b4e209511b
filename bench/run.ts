/** The benchmark: starts every server, measures them in turn, judges the gates, and ends what it started. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { claimCores } from './cores.ts';
import { startKeyfold, type KeyfoldTarget } from './keyfold.ts';
import { measureTargets, type TargetRounds } from './measure.ts';
import { parseOptions, USAGE, type BenchOptions } from './options.ts';
import { startBareRelay, startMock, startPortkey, startProxy, type Rig } from './peers.ts';
import { prepareMachine } from './prepare.ts';
import { findFreePort, ProcessGroup } from './processes.ts';
import { profileKeyfold } from './profile.ts';
import { writeReport } from './report.ts';
import { judgeGates, summarizeTarget, type Gate } from './summary.ts';
import { checkTarget, type Target } from './target.ts';

/** Time for the last calls' settlement to be written. */
const SETTLE_MS = 1000;

/** Returns the exit code. */
async function runBench(options: BenchOptions): Promise<number> {
  prepareMachine();
  const cores = claimCores();
  const tempDir = mkdtempSync(join(tmpdir(), 'keyfold-bench-'));
  const group = new ProcessGroup(tempDir);
  let keyfold: KeyfoldTarget | undefined;
  let unaudited: KeyfoldTarget | undefined;
  const cleanUp = async (): Promise<void> => {
    await group.stopAll();
    keyfold?.removeData();
    unaudited?.removeData();
    rmSync(tempDir, { recursive: true, force: true });
  };
  const endEarly = (): void => void cleanUp().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, endEarly);
  try {
    const relayPort = await findFreePort();
    const { port: mockPort, target: direct } = await startMock({ group, cores, tempDir, relayPort });
    const rig: Rig = { group, cores, tempDir, mockPort, relayPort };
    if (options.profile) {
      await profileKeyfold(rig, options);
      return 0;
    }
    const targets: Target[] = [];
    if (options.targets.includes('direct')) targets.push(direct);
    if (options.targets.includes('nginx')) targets.push(await startProxy(rig));
    if (options.targets.includes('bare')) targets.push(await startBareRelay(rig));
    if (options.targets.includes('unaudited')) {
      targets.push((unaudited = await startKeyfold(rig, { isUnaudited: true })));
    }
    if (options.targets.includes('keyfold')) targets.push((keyfold = await startKeyfold(rig)));
    if (options.targets.includes('portkey')) targets.push(await startPortkey(rig));
    for (const target of targets) await checkTarget(target);
    const rounds = await measureTargets({ group, loadCore: cores.load, relayPort, options, targets });
    const summaries = rounds.map(summarizeTarget);
    const gates = judgeGates(summaries, keyfold && (await compareWithLedger(keyfold, rounds)));
    console.log(`\n${writeReport({ options, rounds, summaries, gates })}`);
    return options.gate && !passes(gates) ? 1 : 0;
  } finally {
    await cleanUp();
  }
}

async function compareWithLedger(
  keyfold: KeyfoldTarget,
  rounds: readonly TargetRounds[],
): Promise<{ charged: number; completed: number } | undefined> {
  await sleep(SETTLE_MS);
  const completed = rounds.find(({ name }) => name === 'keyfold')?.callsCompleted ?? 0;
  try {
    return { charged: await keyfold.countChargedCalls(), completed };
  } catch (error) {
    console.error(`the ledger could not be asked: ${String(error)}`);
    return undefined;
  }
}

/** A gate that the options left out is no failure; a run that judged none is. */
function passes(gates: readonly Gate[]): boolean {
  const judged = gates.filter(({ passed }) => passed !== undefined);
  return judged.length > 0 && judged.every(({ passed }) => passed);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options) process.exitCode = await runBench(options);
  else console.log(USAGE);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
