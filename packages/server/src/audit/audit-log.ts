/** Appends audit events: as a step of the unit that they record, or by themselves for refusals, which change nothing. */
import type { Clock } from '../kernel/clock.ts';
import { REDACTED, replaceSecrets } from '../kernel/redact.ts';
import type { Database, Urgency } from '../storage/database.ts';
import type { AppendStep } from '../storage/statement.ts';
import { type AuditEvent, renderEvent } from './audit-event.ts';

/** What stands in a record for a secret that somebody wrote where none belongs. */
export type StandIn = (secret: string) => string;

export class AuditLog {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #standIn: StandIn;

  constructor(database: Database, clock: Clock, standIn: StandIn = () => REDACTED) {
    this.#database = database;
    this.#clock = clock;
    this.#standIn = standIn;
  }

  /** The step that records an event in the same commit as the change that it is about. */
  step(event: AuditEvent): AppendStep {
    // A secret has no character that JSON escapes, so it can be found in the text as a whole.
    return { append: replaceSecrets(renderEvent(event, this.#clock.nowMs()), this.#standIn) };
  }

  /** Records an event that goes with no change. Resolves when it is durable. */
  async record(event: AuditEvent, urgency: Urgency = 'soon'): Promise<void> {
    await this.#database.commit({ steps: [this.step(event)] }, urgency);
  }
}
