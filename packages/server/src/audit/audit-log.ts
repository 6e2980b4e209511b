/** Appends audit events: as a step of the unit that they record, or by themselves for refusals, which change nothing. */
import type { Clock } from '../kernel/clock.ts';
import type { Database, Urgency } from '../storage/database.ts';
import type { AppendStep } from '../storage/statement.ts';
import { type AuditEvent, renderEvent } from './audit-event.ts';

export class AuditLog {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The step that records an event in the same commit as the change that it is about. */
  step(event: AuditEvent): AppendStep {
    return { append: renderEvent(event, this.#clock.nowMs()) };
  }

  /** Records an event that goes with no change. Resolves when it is durable. */
  async record(event: AuditEvent, urgency: Urgency = 'soon'): Promise<void> {
    await this.#database.commit({ steps: [this.step(event)] }, urgency);
  }
}
