/**
 * Watches audit records by the rules, and sees to it that what is found fires. Whoever follows the log gives it each record
 * once and in the order of its node, and may only forget a record once `settle` has resolved.
 */
import { isShort } from '../../audit/brief-event.ts';
import type { StoredEvent } from '../../audit/stored-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { DatabaseReader } from '../../storage/reader.ts';
import { KeyHistory } from '../baseline.ts';
import { type Finding, type Rule, type Sighting, windowMsOf } from '../rule.ts';
import { type Judged, type Mode, RuleEngine } from '../rule-engine.ts';
import { readSightings } from '../sighting-store.ts';
import type { JudgeLink } from './judge-link.ts';

/** What follows the audit log gives its records to this. */
export interface AuditObserver {
  /** Asks for the rules where they may have changed. */
  refresh(): Promise<void>;
  /** There is nothing to look for now: what comes meanwhile need not be given. */
  readonly isIdle: boolean;
  /** So much that was found waits to be stored that nothing more may be given. */
  readonly isFull: boolean;
  /** How far back it wants to learn. */
  readonly historyMs: number;
  /** What is older need not be judged by anybody. */
  readonly sinceMs: number;
  /** There is something to look for in such a record. */
  wants(record: string): boolean;
  /** A record that was judged before a restart: it fills the windows, and nothing fires. */
  learn(event: StoredEvent): void | Promise<void>;
  /** Rejects where it could not be judged: to be given again before any other. */
  observe(event: StoredEvent): void | Promise<void>;
  /** Resolves when all that was found so far is stored, and to whether there was anything. To be asked again where it throws. */
  settle(): Promise<boolean>;
}

/** How often the rules are asked for. A change in this process is told, and one in another is seen in the log. */
const RULES_EVERY_MS = 1_000;
/** What was found and is not stored yet. */
const FINDINGS_MAX = 1_000;
/** Beyond it nothing can be stored, most likely: the rest waits for the next time. */
const FAILURES_MAX = 3;

/** The event loop's end, as far as it is needed here. */
export type Desk = Pick<JudgeLink, 'isStale' | 'rules' | 'fire' | 'remember'>;

export class AlertWatch implements AuditObserver {
  readonly #clock: Clock;
  readonly #link: Desk;
  readonly #engine: RuleEngine;
  readonly #findings: Finding[] = [];
  #taught: Sighting[] = [];
  #rules: readonly Rule[] = [];
  #areCallsWanted = false;
  #askedAtMs = -Infinity;

  constructor(parts: { reader: Pick<DatabaseReader, 'read'>; clock: Clock; link: Desk }) {
    const history = new KeyHistory(parts);
    this.#clock = parts.clock;
    this.#link = parts.link;
    this.#engine = new RuleEngine({
      nowMs: () => parts.clock.nowMs(),
      factsOf: (keyId) => history.factsOf(keyId),
      baselineOf: (keyId, nowMs) => history.baselineOf(keyId, nowMs),
      sightingsOf: (keyId, kind) => readSightings(parts.reader, keyId, kind),
    });
  }

  async refresh(isFresh = false): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (!isFresh && !this.#link.isStale && nowMs - this.#askedAtMs < RULES_EVERY_MS) return;
    const rules = await this.#link.rules(isFresh);
    this.#askedAtMs = nowMs;
    if (rules === undefined) return;
    this.#rules = rules;
    this.#areCallsWanted = rules.some(isAboutCalls);
    this.#engine.follow(rules);
  }

  get isIdle(): boolean {
    return this.#rules.length === 0;
  }

  get isFull(): boolean {
    return this.#findings.length >= FINDINGS_MAX;
  }

  get historyMs(): number {
    return Math.max(0, ...this.#rules.map(({ when }) => windowMsOf(when)));
  }

  get sinceMs(): number {
    return Math.min(...this.#rules.map(({ createdAtMs }) => createdAtMs));
  }

  wants(record: string): boolean {
    return this.#areCallsWanted || !isShort(record);
  }

  learn(event: StoredEvent): void | Promise<void> {
    return this.#judge(event, 'learn');
  }

  observe(event: StoredEvent): void | Promise<void> {
    // Also a change that another process made.
    if (event.action.startsWith('alert_rule.')) return this.#judgeAfresh(event);
    return this.#judge(event, 'judge');
  }

  async settle(): Promise<boolean> {
    const hasFound = this.#findings.length > 0 || this.#taught.length > 0;
    const failures = await this.#fireAll();
    const taught = this.#taught;
    if (taught.length > 0) await this.#link.remember(taught);
    this.#taught = [];
    if (failures.length > 0) throw failures[0];
    return hasFound;
  }

  /** One that cannot be stored keeps no other waiting: it comes last at the next time. */
  async #fireAll(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let left = this.#findings.length; left > 0 && failures.length < FAILURES_MAX; left--) {
      const finding = this.#findings.shift();
      if (finding === undefined) break;
      try {
        await this.#link.fire(finding);
      } catch (error) {
        this.#findings.push(finding);
        failures.push(error);
      }
    }
    return failures;
  }

  async #judgeAfresh(event: StoredEvent): Promise<void> {
    await this.refresh(true);
    await this.#judge(event, 'judge');
  }

  #judge(event: StoredEvent, mode: Mode): void | Promise<void> {
    const judged = this.#engine.observe(event, mode);
    if (judged instanceof Promise) return judged.then((later) => this.#keep(later));
    this.#keep(judged);
  }

  #keep({ findings, sightings }: Judged): void {
    if (findings.length > 0) this.#findings.push(...findings);
    if (sightings.length > 0) this.#taught.push(...sightings);
  }
}

/** Refusals are no calls, and have records of their own. */
function isAboutCalls({ when }: Rule): boolean {
  if (when.kind === 'denied_burst') return false;
  return when.kind !== 'event' || when.actions.some((action) => action.startsWith('call.'));
}
