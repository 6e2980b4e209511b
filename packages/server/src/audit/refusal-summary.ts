/**
 * Counts refusals of callers that no key vouches for and records them as one event a code and interval: a flood of
 * strangers must not fill the disk.
 */
import type { ErrorCode } from '@keyfold/protocol';
import type { AuditLog } from './audit-log.ts';

export class RefusalSummary {
  readonly #audit: AuditLog;
  #counts = new Map<ErrorCode, number>();

  constructor(audit: AuditLog) {
    this.#audit = audit;
  }

  count(code: ErrorCode): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  /** Records what was counted since the last flush. When a record cannot be written its count is kept for the next. */
  async flush(): Promise<void> {
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [code, count] of counts) {
      try {
        await this.#audit.record({
          action: 'unauthenticated.refused',
          actor: 'anonymous',
          target: 'http',
          decision: 'denied',
          detail: { code, count },
        });
      } catch (error) {
        this.#counts.set(code, (this.#counts.get(code) ?? 0) + count);
        throw error;
      }
    }
  }
}
