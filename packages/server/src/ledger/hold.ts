/** One balance row that a reservation holds money on. */
import type { Id } from '@keyfold/protocol';

export interface Hold {
  readonly budgetId: Id<'budget'> | Id<'creditAccount'>;
  readonly periodStartMs: number;
}
