/** Where checkpoints go besides the database: a second place that its owner cannot rewrite. */
import type { StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';

export type SinkName = 'file' | 'syslog' | 'webhook';

export interface SinkOutcome {
  /** How many of the page, from its beginning, the sink has for certain. */
  readonly delivered: number;
  /** Why it has not all of them. Holds no secret. */
  readonly problem: string | undefined;
}

export interface AuditSink {
  readonly name: SinkName;
  /** False where it may be given the newest instead of very many: each costs it too much. */
  readonly takesAll?: boolean;
  /** In order, at least once. `hadSome`: as far as is known, it has had checkpoints before. Never rejects. */
  deliver(page: readonly StoredCheckpoint[], hadSome?: boolean): Promise<SinkOutcome>;
  /** Ends what is under way. */
  close(): Promise<void>;
}
