/** Appends audit events: as a step of the unit that they record, or by themselves for refusals, which change nothing. */
import type { Clock } from '../kernel/clock.ts';
import { REDACTED, mayHoldSecret } from '../kernel/redact.ts';
import type { Database, Urgency } from '../storage/database.ts';
import type { AppendStep } from '../storage/statement.ts';
import { renderEvent } from './render-event.ts';
import { type AuditEvent } from './audit-event.ts';
import { type StandIn, withoutSecrets } from './without-secrets.ts';

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
    const timeMs = this.#clock.nowMs();
    const text = renderEvent(event, timeMs);
    // In each value by itself: the text as a whole has quotes and escapes, which would hide a secret or be taken for one.
    return { append: mayHoldSecret(text) ? renderEvent(withoutSecrets(event, this.#standIn), timeMs) : text };
  }

  /** Records an event that goes with no change. Resolves when it is durable. */
  async record(event: AuditEvent, urgency: Urgency = 'soon'): Promise<void> {
    await this.#database.commit({ steps: [this.step(event)] }, urgency);
  }
}
