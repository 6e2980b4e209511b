/**
 * Records refusals of callers that no key vouches for: counted, one event an interval for each kind of refusal, since a
 * flood of strangers must not fill the disk. Alarms are recorded at once, and then counted, too.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Denial } from '../kernel/denial.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import type { AuditLog } from './audit-log.ts';

/** Kinds of refusals that are told apart between two flushes; beyond it only their codes are. */
const KINDS_MAX = 1_000;
/** A key that raises alarms raises one in this time; the rest are counted. */
const ALARMS = { entriesMax: 10_000, ttlMs: 10_000 };

/** Addresses that are told apart for each kind. */
const ADDRESSES_MAX = 100;

interface Kind {
  readonly denial: Denial;
  count: number;
  /** Since the last flush. */
  readonly addresses: Set<string>;
}

export interface RefusedFrom {
  readonly address: string;
  readonly requestId?: string;
}

export class RefusalSummary {
  readonly #audit: AuditLog;
  readonly #onAlarm: (error?: unknown) => void;
  readonly #kinds = new Map<string, Kind>();
  readonly #alarmed: ExpiringCache<true>;

  /** `onAlarm` hears of every alarm that is recorded, and of the error should its record fail. */
  constructor(parts: { audit: AuditLog; clock: Clock; onAlarm: (error?: unknown) => void }) {
    this.#audit = parts.audit;
    this.#onAlarm = parts.onAlarm;
    this.#alarmed = new ExpiringCache(ALARMS, parts.clock);
  }

  count(denial: Denial, from: RefusedFrom): void {
    if (denial.detail.isAlarm === true && this.#raise(denial, from)) return;
    const { reason = '', subject } = denial.detail;
    const full = `${denial.code} ${subject?.keyId ?? ''} ${reason}`;
    const isKnown = this.#kinds.has(full) || this.#kinds.size < KINDS_MAX;
    const name = isKnown ? full : denial.code;
    const kind = this.#kinds.get(name);
    if (kind === undefined) {
      this.#kinds.set(name, { denial, count: 1, addresses: new Set([from.address]) });
      return;
    }
    kind.count++;
    if (kind.addresses.size < ADDRESSES_MAX) kind.addresses.add(from.address);
  }

  /** Records what was counted since the last flush. A count whose record cannot be written is kept for the next. */
  async flush(): Promise<void> {
    for (const [name, kind] of this.#kinds) {
      const { count, denial } = kind;
      const addresses = [...kind.addresses];
      const { reason, subject } = name === denial.code ? {} : denial.detail;
      await this.#audit.record({
        action: 'unauthenticated.refused',
        actor: 'anonymous',
        target: subject?.keyId ?? 'http',
        decision: 'denied',
        organizationId: subject?.organizationId,
        // One address is where they came from; several are counted.
        address: addresses.length === 1 ? addresses[0] : undefined,
        detail: {
          code: denial.code,
          ...(reason === undefined ? {} : { reason }),
          count,
          ...(addresses.length === 1 ? {} : { addresses: addresses.length }),
        },
      });
      kind.count -= count;
      kind.addresses.clear();
      if (kind.count === 0) this.#kinds.delete(name);
    }
  }

  /** False when the key raised an alarm a moment ago. */
  #raise({ code, detail }: Denial, { address, requestId }: RefusedFrom): boolean {
    const target = detail.subject?.keyId ?? 'unknown';
    if (this.#alarmed.get(target) === true) return false;
    this.#alarmed.set(target, true);
    const recorded = this.#audit.record({
      action: 'canary.used',
      actor: 'anonymous',
      target,
      decision: 'denied',
      requestId,
      organizationId: detail.subject?.organizationId,
      address,
      detail: { code },
    });
    recorded.then(
      () => this.#onAlarm(),
      (error: unknown) => this.#onAlarm(error),
    );
    return true;
  }
}
