/**
 * Watches audit records by the rules, and sees to it that what is found fires. Whoever follows the log gives it each record
 * once and in the order of its node, and may only forget a record once `settle` has resolved.
 */
import type { StoredEvent } from '../audit/stored-event.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import { KeyHistory } from './baseline.ts';
import type { Finding, Sighting } from './rule.ts';
import { RuleEngine } from './rule-engine.ts';
import type { RuleStore } from './rule-store.ts';
import type { SightingStore } from './sighting-store.ts';

/** What follows the audit log gives its records to this. */
export interface AuditObserver {
  /** There is nothing to look for now: what comes meanwhile need not be given. */
  isIdle(): Promise<boolean>;
  /** How far back it wants to learn. */
  historyMs(): Promise<number>;
  /** A record that was judged before a restart: it fills the windows, and nothing fires. */
  learn(event: StoredEvent): Promise<void>;
  observe(event: StoredEvent): Promise<void>;
  /** Resolves when all that was found so far is stored. Throws when it is not: to be asked again. */
  settle(): Promise<void>;
}

/** Committed together. */
const SIGHTINGS_AT_ONCE = 100;

export class AlertWatch implements AuditObserver {
  readonly #database: Database;
  readonly #rules: RuleStore;
  readonly #sightings: SightingStore;
  readonly #fire: (finding: Finding) => Promise<void>;
  readonly #onEdited: (error: Error) => void;
  readonly #engine: RuleEngine;
  readonly #findings: Finding[] = [];
  #taught: Sighting[] = [];

  constructor(parts: {
    database: Database;
    clock: Clock;
    alertRules: RuleStore;
    sightings: SightingStore;
    fire: (finding: Finding) => Promise<void>;
    onEdited: (error: Error) => void;
  }) {
    const history = new KeyHistory(parts);
    this.#database = parts.database;
    this.#rules = parts.alertRules;
    this.#sightings = parts.sightings;
    this.#fire = parts.fire;
    this.#onEdited = parts.onEdited;
    this.#engine = new RuleEngine({
      rulesOf: (organizationId) => parts.alertRules.followed(organizationId, parts.onEdited),
      factsOf: (keyId) => history.factsOf(keyId),
      baselineOf: (keyId, nowMs) => history.baselineOf(keyId, nowMs),
      sightingsOf: (keyId, kind) => parts.sightings.load(keyId, kind),
    });
  }

  isIdle(): Promise<boolean> {
    return this.#rules.isEmpty(this.#onEdited);
  }

  historyMs(): Promise<number> {
    return this.#rules.windowMsMax(this.#onEdited);
  }

  async learn(event: StoredEvent): Promise<void> {
    await this.#engine.observe(event, 'learn');
  }

  async observe(event: StoredEvent): Promise<void> {
    // Also a change that another process made.
    if (event.action.startsWith('alert_rule.')) this.#rules.forget();
    const { findings, sightings } = await this.#engine.observe(event, 'judge');
    this.#findings.push(...findings);
    this.#taught.push(...sightings);
  }

  async settle(): Promise<void> {
    for (let next = this.#findings[0]; next !== undefined; next = this.#findings[0]) {
      await this.#fire(next);
      this.#findings.shift();
    }
    while (this.#taught.length > 0) {
      const page = this.#taught.slice(0, SIGHTINGS_AT_ONCE);
      const steps = page.flatMap((sighting) => this.#sightings.rememberSteps(sighting));
      await this.#database.commit({ steps }, 'soon');
      this.#taught = this.#taught.slice(page.length);
    }
  }
}
