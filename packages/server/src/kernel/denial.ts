/** Refused by policy. Returned, never thrown: a function that may refuse returns `T | Denial`. */
import type { ErrorCode } from '@keyfold/protocol';

export interface DenialSubject {
  readonly keyId: string;
  readonly organizationId: string;
}

export interface DenialDetail {
  /** Safe to show to the client; the registry's title stands in when it is absent. */
  readonly message?: string;
  /** The field or header at fault. */
  readonly param?: string;
  /** When the same request may succeed. */
  readonly retryAfterMs?: number;
  /** For the audit log alone: what exactly failed. */
  readonly reason?: string;
  /** For the audit log alone: the key that was named, where nothing proves who named it. */
  readonly subject?: DenialSubject | undefined;
  /** Recorded at once, whoever it came from: somebody used what was laid out for thieves. */
  readonly isAlarm?: boolean;
  /** The server's clock in Unix seconds, for a client whose own is wrong. */
  readonly serverTimeS?: number;
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
