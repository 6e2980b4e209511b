/** Who asks for an attempt, and what the attempts before have left. */
import type { Principal } from '../../keys/key.ts';
import type { ReserveCondition } from '../../ledger/reservation.ts';
import type { Admission } from '../../limits/limiter.ts';
import type { ClaimStep } from '../../storage/statement.ts';

/** What earlier attempts leave to the next. */
export interface Progress {
  /** Of the attempt that is decided; from 1. */
  readonly attempt: number;
  /** Targets that are not asked again. */
  readonly tried: ReadonlySet<string>;
  /** The one target that is asked, where it must be that. */
  readonly only: string | undefined;
  readonly admission: Admission | undefined;
}

export interface Asking {
  readonly principal: Principal;
  readonly requestId: string;
  readonly address: string;
  readonly claims: readonly ClaimStep[];
  /** Under which alone the attempt may be reserved. */
  readonly condition: ReserveCondition | undefined;
  readonly progress: Progress;
}
