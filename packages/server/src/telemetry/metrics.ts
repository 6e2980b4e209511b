/** Prometheus metrics. Labels have few values: never a key, a model that a client made up, or a path. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Seconds; from a fast embedding to a long stream. */
const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export class Metrics {
  readonly registry = new Registry();
  readonly calls: Counter<'provider' | 'resolution' | 'status'>;
  readonly replays: Counter;
  readonly refusals: Counter<'code'>;
  readonly faults: Counter<'code'>;
  readonly flags: Counter<'flag'>;
  readonly enforcementErrors: Counter<'control'>;
  readonly canaryUses: Counter;
  readonly leaks: Counter<'action'>;
  readonly callSeconds: Histogram<'provider'>;
  readonly costUsd: Counter<'provider'>;
  readonly tokens: Counter<'provider' | 'class'>;
  readonly budgetAlerts: Counter<'scope'>;
  readonly alertsFired: Counter<'kind' | 'done'>;
  readonly webhookTries: Counter<'outcome'>;
  readonly versionsEnding: Gauge;
  readonly callsRunning: Gauge;
  readonly resolutionsPending: Gauge;
  readonly targetsResting: Gauge;
  readonly checkpointsPending: Gauge<'sink'>;
  readonly auditInconsistencies: Counter;

  constructor(gauges: {
    readonly callsRunning: () => number;
    readonly resolutionsPending: () => number;
    readonly targetsResting: () => number;
    readonly checkpointAgeS: () => number;
  }) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.calls = new Counter({
      name: 'keyfold_calls_total',
      help: 'Calls that were reserved and resolved.',
      labelNames: ['provider', 'resolution', 'status'],
      registers,
    });
    this.replays = new Counter({
      name: 'keyfold_replays_total',
      help: 'Calls that were given the answer of an earlier one with the same Idempotency-Key.',
      registers,
    });
    this.refusals = new Counter({
      name: 'keyfold_refusals_total',
      help: 'Requests refused by policy.',
      labelNames: ['code'],
      registers,
    });
    this.faults = new Counter({
      name: 'keyfold_faults_total',
      help: 'Requests that something broke.',
      labelNames: ['code'],
      registers,
    });
    this.flags = new Counter({
      name: 'keyfold_usage_flags_total',
      help: 'Calls whose usage was odd.',
      labelNames: ['flag'],
      registers,
    });
    this.enforcementErrors = new Counter({
      name: 'keyfold_enforcement_errors_total',
      help: 'Errors inside a control; each denied.',
      labelNames: ['control'],
      registers,
    });
    this.budgetAlerts = new Counter({
      name: 'keyfold_budget_alerts_total',
      help: 'Shares of caps that were reached, of which their owners wanted to know.',
      labelNames: ['scope'],
      registers,
    });
    this.alertsFired = new Counter({
      name: 'keyfold_alerts_fired_total',
      help: 'Firings of alert rules, by what they measure and what was done to the key.',
      labelNames: ['kind', 'done'],
      registers,
    });
    this.webhookTries = new Counter({
      name: 'keyfold_webhook_tries_total',
      help: 'Tries to deliver a message to a webhook, by how they ended.',
      labelNames: ['outcome'],
      registers,
    });
    this.canaryUses = new Counter({
      name: 'keyfold_canary_uses_total',
      help: 'Alarms raised by canary keys.',
      registers,
    });
    this.leaks = new Counter({
      name: 'keyfold_leaks_total',
      help: 'Keys reported as leaked, by what was done.',
      labelNames: ['action'],
      registers,
    });
    this.versionsEnding = new Gauge({
      name: 'keyfold_key_versions_ending',
      help: 'Newest versions of keys that are about to end and were not renewed.',
      registers,
    });
    this.callSeconds = new Histogram({
      name: 'keyfold_call_seconds',
      help: 'From reservation to resolution.',
      labelNames: ['provider'],
      buckets: CALL_SECONDS,
      registers,
    });
    this.costUsd = new Counter({
      name: 'keyfold_cost_usd_total',
      help: 'Settled cost; the ledger is exact, this is not.',
      labelNames: ['provider'],
      registers,
    });
    this.tokens = new Counter({
      name: 'keyfold_tokens_total',
      help: 'Tokens settled.',
      labelNames: ['provider', 'class'],
      registers,
    });
    this.checkpointsPending = new Gauge({
      name: 'keyfold_audit_checkpoints_pending',
      help: 'Checkpoints that a sink does not have yet.',
      labelNames: ['sink'],
      registers,
    });
    this.auditInconsistencies = new Counter({
      name: 'keyfold_audit_inconsistencies_total',
      help: 'Audit chains that contradict what was signed of them; nothing is signed for their nodes any more.',
      registers,
    });
    observed('keyfold_audit_checkpoint_age_seconds', 'Since this process signed its last checkpoint.', {
      registers,
      read: gauges.checkpointAgeS,
    });
    this.callsRunning = observed('keyfold_calls_running', 'Calls in flight.', {
      registers,
      read: gauges.callsRunning,
    });
    this.resolutionsPending = observed('keyfold_resolutions_pending', 'Resolutions waiting for storage.', {
      registers,
      read: gauges.resolutionsPending,
    });
    this.targetsResting = observed(
      'keyfold_targets_resting',
      'Targets and credentials that are passed over.',
      {
        registers,
        read: gauges.targetsResting,
      },
    );
  }
}

function observed(name: string, help: string, of: { registers: Registry[]; read: () => number }): Gauge {
  return new Gauge({
    name,
    help,
    registers: of.registers,
    collect() {
      this.set(of.read());
    },
  });
}
