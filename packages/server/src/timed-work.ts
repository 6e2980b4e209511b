/** The second half of the composition root: all work that recurs, and in which order it ends. */
import { alertBudgets } from './jobs/alert-budgets.ts';
import { alertEndingVersions } from './jobs/alert-ending-versions.ts';
import { archiveOldAudit } from './jobs/archive-audit.ts';
import { AlertDeliverer } from './jobs/deliver-alerts.ts';
import { pruneAlerts } from './jobs/prune-alerts.ts';
import { pruneOldCalls } from './jobs/prune-calls.ts';
import { pruneChildren } from './jobs/prune-children.ts';
import { pruneIdempotency } from './jobs/prune-idempotency.ts';
import { TimedJobs } from './jobs/timed-jobs.ts';
import type { Config } from './config/index.ts';
import type { House } from './house.ts';
import type { Recovered, Recovery } from './ledger/recover.ts';

const JOB_EVERY_MS = {
  resolutions: 1_000,
  recovery: 5_000,
  refusals: 10_000,
  uses: 5_000,
  ending: 30_000,
  budgets: 10_000,
  windows: 600_000,
  nonces: 30_000,
  idempotency: 600_000,
  secrets: 60_000,
  children: 3_600_000,
  deliveries: 500,
  alerts: 3_600_000,
  calls: 10_000,
  archive: 600_000,
  checkpoints: 250,
  sinks: 250,
};

export interface TimedWork {
  /** Nothing is begun any more, and what has begun has ended, but for the sinks. */
  stop(): Promise<void>;
  /** After the last checkpoint. */
  stopSinks(): Promise<void>;
}

export function startTimedWork(house: House, recovery: Recovery, config: Config): TimedWork {
  const { core } = house;
  const jobs = startJobs(house, recovery, config);
  const sinkJobs = startSinkJobs(house);
  const deliverer = startAlerts(house, jobs);
  return {
    stop: async () => {
      await jobs.stop();
      // Messages that are being sent are tried again by whoever comes next, under the same ids.
      await core.webhookPools.destroy();
      await deliverer.drain();
    },
    stopSinks: async () => {
      await core.sinks.finish();
      await sinkJobs.stop();
    },
  };
}

/** A reservation that cannot be resolved is no reason not to serve. */
export async function reportUnresolved({ telemetry }: House, recovering: Promise<Recovered>): Promise<void> {
  const { failed } = await recovering;
  if (failed > 0) telemetry.jobFailed('recover reservations', new Error(`${failed} could not be resolved`));
}

function startJobs(house: House, recovery: Recovery, config: Config): TimedJobs {
  const { callsKeptDays, auditArchive } = config;
  const { core, telemetry } = house;
  const jobs = new TimedJobs((job, error) => telemetry.jobFailed(job, error));
  jobs.start([
    { name: 'retry resolutions', everyMs: JOB_EVERY_MS.resolutions, run: () => core.ledger.retryPostponed() },
    {
      name: 'recover reservations',
      everyMs: JOB_EVERY_MS.recovery,
      run: () => reportUnresolved(house, recovery.recover()),
    },
    { name: 'summarise refusals', everyMs: JOB_EVERY_MS.refusals, run: () => core.refusals.flush() },
    { name: 'count uses', everyMs: JOB_EVERY_MS.uses, run: () => core.uses.flush() },
    {
      name: 'alert ending versions',
      everyMs: JOB_EVERY_MS.ending,
      run: () => alertEndingVersions({ ...core, telemetry }),
    },
    {
      name: 'alert budgets',
      everyMs: JOB_EVERY_MS.budgets,
      run: () => alertBudgets({ ...core, telemetry }),
    },
    { name: 'prune windows', everyMs: JOB_EVERY_MS.windows, run: () => core.budgets.pruneWindows() },
    { name: 'prune nonces', everyMs: JOB_EVERY_MS.nonces, run: () => core.nonces.prune() },
    { name: 'prune children', everyMs: JOB_EVERY_MS.children, run: () => pruneChildren(core) },
    {
      name: 'forget previous secrets',
      everyMs: JOB_EVERY_MS.secrets,
      run: () => core.credentials.forgetPrevious(core.clock.nowMs()),
    },
    { name: 'sign checkpoints', everyMs: JOB_EVERY_MS.checkpoints, run: () => core.checkpointer.run() },
    { name: 'prune idempotency', everyMs: JOB_EVERY_MS.idempotency, run: () => pruneIdempotency(core) },
  ]);
  if (callsKeptDays !== undefined) {
    const options = { keptDays: callsKeptDays, isStopping: () => house.isStopping };
    const run = () => pruneOldCalls(core, options);
    jobs.start([{ name: 'prune calls', everyMs: JOB_EVERY_MS.calls, run }]);
  }
  if (auditArchive !== undefined) {
    const options = { ...auditArchive, isStopping: () => house.isStopping };
    const run = () => archiveOldAudit(core, options);
    jobs.start([{ name: 'archive audit records', everyMs: JOB_EVERY_MS.archive, run }]);
  }
  return jobs;
}

/** Delivers what alert rules tell. They are judged on the audit thread. */
function startAlerts({ core, telemetry }: House, jobs: TimedJobs): AlertDeliverer {
  const deliverer = new AlertDeliverer({ ...core, telemetry });
  jobs.start([
    { name: 'deliver alerts', everyMs: JOB_EVERY_MS.deliveries, run: () => deliverer.turn() },
    { name: 'prune alerts', everyMs: JOB_EVERY_MS.alerts, run: () => pruneAlerts(core) },
  ]);
  return deliverer;
}

/** One for each sink, and apart from the others: they end after the last checkpoint. */
function startSinkJobs({ core, telemetry }: House): TimedJobs {
  const jobs = new TimedJobs((job, error) => telemetry.jobFailed(job, error));
  jobs.start(
    core.sinks.deliveries.map((delivery) => ({
      name: `deliver checkpoints (${delivery.name})`,
      everyMs: JOB_EVERY_MS.sinks,
      run: () => delivery.run(),
    })),
  );
  const run = () => Promise.resolve(core.sinks.watch());
  jobs.start([{ name: 'watch sinks', everyMs: JOB_EVERY_MS.sinks, run }]);
  return jobs;
}
