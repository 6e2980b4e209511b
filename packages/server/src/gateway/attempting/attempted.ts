/** What an attempt is made with: the rooms that it needs, and what was decided about it. */
import type { CredentialStore } from '../../credentials/credential-store.ts';
import type { ServedCall } from '../../idempotency/served-call.ts';
import type { ModelCall } from '../../providers/provider.ts';
import type { Targets } from '../../routing/targets.ts';
import type { ClientExchange } from '../client-exchange.ts';
import type { Decision } from '../deciding/decide.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import type { ResolveRooms } from '../settling/resolve.ts';
import type { TokenCounter } from '../settling/token-counter.ts';

export interface AttemptRooms extends ResolveRooms {
  readonly targets: Targets;
  readonly credentials: CredentialStore;
  readonly counter: TokenCounter;
}

/** The call as its provider is asked. */
export function modelCallOf({ outbound, target, estimate }: Decision): ModelCall {
  return {
    ...outbound.call,
    upstreamModel: target.upstreamModel,
    outputTokensCap: estimate.outputTokensCap,
  };
}

export interface Attempted {
  /** As the client wrote it. */
  readonly call: ParsedCall;
  readonly decision: Decision;
  readonly exchange: ClientExchange;
  /** Where the answer is to be kept for a repeat. */
  readonly served: ServedCall | undefined;
  /** Another target may be asked if this one fails: then its beginning is kept back, and it must answer in time. */
  readonly mayFallBack: boolean;
  /** Before the last rotation's secret, where the provider has refused the new one. */
  readonly usesPreviousSecret: boolean;
}
