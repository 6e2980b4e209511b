/**
 * Counts refusals of callers that no key vouches for and records them as one event a code and interval: a flood of
 * strangers must not fill the disk.
 */
import type { ErrorCode } from '@keyfold/protocol';
import type { AuditLog } from './audit-log.ts';

export class RefusalSummary {
  readonly #audit: AuditLog;
  readonly #counts = new Map<ErrorCode, number>();

  constructor(audit: AuditLog) {
    this.#audit = audit;
  }

  count(code: ErrorCode): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  /** Records what was counted since the last flush. A count whose record cannot be written is kept for the next. */
  async flush(): Promise<void> {
    for (const [code, count] of this.#counts) {
      await this.#audit.record({
        action: 'unauthenticated.refused',
        actor: 'anonymous',
        target: 'http',
        decision: 'denied',
        detail: { code, count },
      });
      const since = (this.#counts.get(code) ?? count) - count;
      if (since === 0) this.#counts.delete(code);
      else this.#counts.set(code, since);
    }
  }
}
