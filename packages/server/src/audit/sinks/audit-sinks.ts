/** All sinks of the installation: each by itself, so that one which is down keeps no other waiting. */
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { AuditSink } from './audit-sink.ts';
import { SinkDelivery, type SinkDeliveryParts, type SinkStatus } from './sink-delivery.ts';

/** How long an orderly stop waits for sinks. */
const FINISH_MS = 2_000;

export class AuditSinks {
  readonly deliveries: readonly SinkDelivery[];
  readonly #clock: Clock;
  readonly #lagMs: number;
  readonly #unsignedSinceMs: () => number | undefined;

  constructor(
    sinks: readonly AuditSink[],
    parts: SinkDeliveryParts & {
      /** A checkpoint that a sink lacks for longer refuses changes of the management API. */
      readonly lagMs: number;
      /** Since when checkpoints cannot be signed at all. */
      readonly unsignedSinceMs: () => number | undefined;
    },
  ) {
    this.deliveries = sinks.map((sink) => new SinkDelivery(sink, parts));
    this.#clock = parts.clock;
    this.#lagMs = parts.lagMs;
    this.#unsignedSinceMs = parts.unsignedSinceMs;
  }

  wake(): void {
    for (const delivery of this.deliveries) delivery.wake();
  }

  /** Throws `Fault('unavailable')` while a sink is too far behind for changes to be made, or gets nothing to take. */
  assertKeepingUp(): void {
    if (this.deliveries.length > 0 && this.#isTooOld(this.#unsignedSinceMs())) {
      throw new Fault('unavailable', {
        internal: 'no checkpoint can be signed',
        public: 'Checkpoints of the audit log cannot be signed; changes are refused until they can be.',
      });
    }
    for (const { name, oldestAtMs } of this.deliveries) {
      if (!this.#isTooOld(oldestAtMs)) continue;
      throw new Fault('unavailable', {
        internal: `the audit sink ${name} is behind`,
        public: `The audit sink '${name}' does not take checkpoints; changes are refused until it has caught up.`,
      });
    }
  }

  #isTooOld(sinceMs: number | undefined): boolean {
    return sinceMs !== undefined && this.#clock.nowMs() - sinceMs > this.#lagMs;
  }

  statuses(): Promise<readonly SinkStatus[]> {
    return Promise.all(this.deliveries.map((delivery) => delivery.status()));
  }

  /** Gives each a last try, for a bounded time, and ends what is still under way. */
  async finish(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FINISH_MS);
    });
    const tries = Promise.all(this.deliveries.map((delivery) => delivery.finish()));
    await Promise.race([tries, timeUp]);
    clearTimeout(timer);
    await Promise.all(this.deliveries.map((delivery) => delivery.close()));
    await tries;
  }
}
