/** Refused by policy. Returned, never thrown: a function that may refuse returns `T | Denial`. */
import type { ErrorCode } from '@keyfold/protocol';

export interface DenialDetail {
  /** Safe to show to the client; the registry's title stands in when it is absent. */
  readonly message?: string;
  /** The field or header at fault. */
  readonly param?: string;
  /** When the same request may succeed. */
  readonly retryAfterMs?: number;
  /** For the audit log alone: what exactly failed. */
  readonly reason?: string;
  /** Facts for programs: which limit, scope, period. Safe to show. */
  readonly facts?: Readonly<Record<string, string | number>>;
}

export class Denial {
  readonly code: ErrorCode;
  readonly detail: DenialDetail;

  constructor(code: ErrorCode, detail: DenialDetail = {}) {
    this.code = code;
    this.detail = detail;
  }
}
