/** How an attempt ended, as far as it matters for what comes next: another attempt, and the health of its target. */
import type { Denial } from '../../kernel/denial.ts';
import type { Fault } from '../../kernel/fault.ts';
import type { FailureClass, FailureKind } from '../../providers/provider.ts';
import type { UpstreamFaultKind } from '../../upstream/upstream-fault.ts';

/** What went wrong, by the provider's own word or by what happened to the connection. */
export type FailureReason = FailureKind | UpstreamFaultKind | 'unreadable' | 'stream_cut' | 'internal';

export interface AttemptFailure {
  readonly reason: FailureReason;
  readonly retry: FailureClass['retry'];
  /** When the provider said that the same may succeed. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the attempt cost anything: then the same target is not asked again. */
  readonly isCharged: boolean;
}

export type Outcome =
  /** The client has its answer, or has left. `failure`: the answer broke off. */
  | { readonly kind: 'over'; readonly tokens: number | undefined; readonly failure?: FailureReason }
  | { readonly kind: 'left'; readonly tokens: number | undefined }
  /** The client has had nothing yet: another attempt may be made, or it is refused. */
  | {
      readonly kind: 'failed';
      readonly tokens: number | undefined;
      readonly refusal: Denial | Fault;
      readonly failure: AttemptFailure;
    };

/** Connections that break say nothing against the call. What our own policy refuses will be refused again. */
export function retryAfterFault(kind: UpstreamFaultKind): FailureClass['retry'] {
  return RETRY_BY_FAULT[kind];
}

const RETRY_BY_FAULT: Readonly<Record<UpstreamFaultKind, FailureClass['retry']>> = {
  refused: 'anywhere',
  reset: 'anywhere',
  timeout: 'anywhere',
  protocol: 'elsewhere',
  redirected: 'elsewhere',
  denied_address: 'elsewhere',
  overloaded: 'elsewhere',
  aborted: 'never',
};
