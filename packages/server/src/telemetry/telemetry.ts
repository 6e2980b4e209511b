/** What the rooms report as it happens, turned into metrics and log lines in one place. */
import type { Denial } from '../kernel/denial.ts';
import { type Fault, describeError } from '../kernel/fault.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** The few facts of a resolved call that are counted. */
export interface ResolvedCall {
  readonly provider: string;
  readonly resolution: string;
  readonly status: number;
  readonly durationMs: number;
  readonly costUsd: number;
  /** By the names of their classes. */
  readonly tokens: Readonly<Record<string, number>>;
  readonly flags: readonly string[];
}

export class Telemetry {
  readonly #log: Logger;
  readonly #metrics: Metrics;

  constructor(log: Logger, metrics: Metrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  replayed(): void {
    this.#metrics.replays.inc();
  }

  refused(denial: Denial): void {
    this.#metrics.refusals.inc({ code: denial.code });
  }

  fault(fault: Fault, requestId: string): void {
    this.#metrics.faults.inc({ code: fault.code });
    const line = { request_id: requestId, code: fault.code, error: fault.message, cause: causeOf(fault) };
    if (fault.code === 'internal') this.#log.error(line, 'internal fault');
    else this.#log.warn(line, 'fault');
  }

  resolved(call: ResolvedCall): void {
    const { provider } = call;
    this.#metrics.calls.inc({ provider, resolution: call.resolution, status: String(call.status) });
    this.#metrics.callSeconds.observe({ provider }, call.durationMs / 1_000);
    this.#metrics.costUsd.inc({ provider }, call.costUsd);
    for (const [name, tokens] of Object.entries(call.tokens)) {
      if (tokens > 0) this.#metrics.tokens.inc({ provider, class: name.replace(/_tokens$/, '') }, tokens);
    }
    for (const flag of call.flags) this.#metrics.flags.inc({ flag });
  }

  /** A second resolution was refused by the ledger: nothing was charged twice, but somebody tried. */
  resolvedTwice(reservationId: string): void {
    this.#metrics.enforcementErrors.inc({ control: 'ledger' });
    this.#log.error({ reservation_id: reservationId }, 'a resolved reservation was resolved again');
  }

  settlementFailed(reservationId: string, error: unknown): void {
    this.#metrics.enforcementErrors.inc({ control: 'ledger' });
    this.#log.error(
      { reservation_id: reservationId, error: describeError(error) },
      'a resolution could not be written yet',
    );
  }

  auditLost(error: unknown, requestId: string): void {
    this.#metrics.enforcementErrors.inc({ control: 'audit' });
    this.#log.error(
      { request_id: requestId, error: describeError(error) },
      'a refusal could not be recorded',
    );
  }

  /** Somebody used a key that was laid out for thieves; `error` when that could not be recorded. */
  canaryUsed(error?: unknown): void {
    this.#metrics.canaryUses.inc();
    if (error === undefined) this.#log.warn('a canary key was used: see the audit log');
    else this.auditLost(error, '');
  }

  budgetAlerted(scope: string): void {
    this.#metrics.budgetAlerts.inc({ scope });
  }

  /** A rule has fired, and this was done to its key. */
  alertFired(kind: string, done: string): void {
    this.#metrics.alertsFired.inc({ kind, done });
  }

  /** A message was delivered to a webhook, or a try of it has failed. */
  webhookTried(outcome: string): void {
    this.#metrics.webhookTries.inc({ outcome });
  }

  versionsEnding(count: number): void {
    this.#metrics.versionsEnding.set(count);
  }

  leakContained(action: string): void {
    this.#metrics.leaks.inc({ action });
    this.#log.warn({ action }, 'a key was reported as leaked: see the audit log');
  }

  auditInconsistent(of: { readonly node: number; readonly size: number; readonly why: string }): void {
    this.#metrics.auditInconsistencies.inc();
    this.#log.error(of, 'the audit chain contradicts its checkpoints: nothing more is signed for this node');
  }

  sinkFailed(sink: string, problem: string): void {
    this.#log.warn({ sink, problem }, 'an audit sink does not take checkpoints');
  }

  sinkPending(sink: string, checkpoints: number): void {
    this.#metrics.checkpointsPending.set({ sink }, checkpoints);
  }

  jobFailed(job: string, error: unknown): void {
    this.#log.error({ job, error: describeError(error) }, 'a timed job failed');
  }
}

function causeOf(fault: Fault): string | undefined {
  if (fault.cause === undefined) return undefined;
  const { cause } = fault;
  return fault.code === 'internal' && cause instanceof Error
    ? (cause.stack ?? cause.message)
    : describeError(cause);
}
