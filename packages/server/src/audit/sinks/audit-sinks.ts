/** All sinks of the installation: each by itself, so that one which is down keeps no other waiting. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SinkRefusal } from '../../config/index.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Checkpointer } from '../checkpoints/checkpointer.ts';
import type { AuditSink } from './audit-sink.ts';
import { SinkDelivery, type SinkDeliveryParts, type SinkStatus } from './sink-delivery.ts';

/** How long an orderly stop waits for sinks. */
const FINISH_MS = 2_000;

export interface AuditSinksParts extends SinkDeliveryParts {
  /** A sink that lacks what it should have for longer refuses. */
  readonly lagMs: number;
  readonly refuses: SinkRefusal;
  readonly checkpointer: SinkDeliveryParts['checkpointer'] & Pick<Checkpointer, 'watchOverdueMs'>;
}

export class AuditSinks {
  readonly deliveries: readonly SinkDelivery[];
  readonly #parts: AuditSinksParts;
  #fault: Fault | undefined;
  #refusesCalls = false;

  constructor(sinks: readonly AuditSink[], parts: AuditSinksParts) {
    this.deliveries = sinks.map((sink) => new SinkDelivery(sink, parts));
    this.#parts = parts;
  }

  wake(): void {
    for (const delivery of this.deliveries) delivery.wake();
  }

  /** Sees whether a sink is too far behind, or gets nothing to take. To be called often; reads nothing and waits for nothing. */
  watch(): void {
    const { lagMs, refuses, checkpointer } = this.#parts;
    const isUnsigned = checkpointer.watchOverdueMs() > lagMs;
    // Each is asked: how long it lacks something is known from the times at which it was asked.
    const late = this.deliveries.filter((delivery) => delivery.watchLagMs() > lagMs)[0]?.name;
    if (this.deliveries.length > 0 && isUnsigned) this.#fault ??= faultOf(undefined);
    else if (late === undefined) this.#fault = undefined;
    else this.#fault ??= faultOf(late);
    this.#refusesCalls = refuses === 'everything' && this.#fault !== undefined;
  }

  /** Throws `Fault('unavailable')` while a sink is too far behind for changes to be made, or gets nothing to take. */
  assertKeepingUp(): void {
    this.watch();
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** The same for calls, where they are refused, too; as of the last `watch`. */
  assertServing(): void {
    if (this.#refusesCalls) throw this.#fault as Fault;
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
    // What still hangs ends with the process.
    await Promise.race([tries, sleep(FINISH_MS, undefined, { ref: false })]);
  }
}

function faultOf(sink: string | undefined): Fault {
  if (sink === undefined) {
    return new Fault('unavailable', {
      internal: 'no checkpoint can be signed',
      public:
        'The audit sink is behind: checkpoints of the audit log cannot be signed. Try again once they can be.',
    });
  }
  return new Fault('unavailable', {
    internal: `the audit sink ${sink} is behind`,
    public: `The audit sink '${sink}' is behind: it does not take checkpoints. Try again once it has caught up.`,
  });
}
