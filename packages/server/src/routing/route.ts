/** A public model name that operators define, with the targets that serve it and how often it is tried. */
import type { Id } from '@keyfold/protocol';

export interface RouteTarget {
  /** `provider/model`, as a call would name it. */
  readonly model: string;
  /** The one credential to use; absent: all of the provider's that offer the model. */
  readonly credentialId: Id<'credential'> | undefined;
  /** Its share of the calls among targets of the same priority. */
  readonly weight: number;
  /** Lower comes first; the next is tried when those before it fail. */
  readonly priority: number;
}

export interface RetryRules {
  /** Attempts of one call, over all targets. */
  readonly attemptsMax: number;
  /** A stream that has sent no token by then is given up for another target. Absent: the provider time-outs alone. */
  readonly firstTokenTimeoutMs: number | undefined;
  /** An answer that is not streamed and has not come by then is given up for another target. */
  readonly answerTimeoutMs: number | undefined;
}

export interface Route {
  readonly id: Id<'route'>;
  readonly organizationId: Id<'organization'>;
  readonly name: string;
  readonly targets: readonly RouteTarget[];
  readonly retry: RetryRules;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Of a route that says nothing about it, and of a model that several credentials serve. */
export const DEFAULT_RETRY: RetryRules = {
  attemptsMax: 3,
  firstTokenTimeoutMs: undefined,
  answerTimeoutMs: undefined,
};
