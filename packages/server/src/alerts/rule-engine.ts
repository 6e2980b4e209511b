/**
 * Judges audit records by the rules: events in, findings out. It writes nothing and reads no clock: the time is that of the
 * records. Records of one node come in their order; those of several nodes may be mixed.
 */
import type { StoredEvent } from '../audit/stored-event.ts';
import { type Nanos, formatUsd, nanos } from '@keyfold/protocol';
import { BoundedMap } from './bounded-map.ts';
import type { Baseline } from './baseline.ts';
import { eventMatches, eventSubject, isAbout, refusedKey } from './judge-event.ts';
import { networkOf } from './network-of.ts';
import type { Condition, Finding, KeyFacts, Measured, Rule, Sighting, SightingKind } from './rule.ts';
import { windowMsOf } from './rule.ts';
import { type KnownSightings, SightingMemory } from './sighting-memory.ts';
import { SlidingSum } from './sliding-sum.ts';
import { type SpendChange, SpendReader } from './spend.ts';

/** One for each rule and key that it is about; beyond it the one that was used longest ago begins anew. */
const WINDOWS_MAX = 20_000;
const FIRED_MAX = 50_000;

export interface EnginePorts {
  rulesOf(organizationId: string): Promise<readonly Rule[]>;
  factsOf(keyId: string): Promise<KeyFacts | undefined>;
  baselineOf(keyId: string, nowMs: number): Promise<Baseline>;
  sightingsOf(keyId: string, kind: SightingKind): Promise<KnownSightings>;
}

export interface Judged {
  readonly findings: readonly Finding[];
  /** To be remembered, of keys that are still being learned. */
  readonly sightings: readonly Sighting[];
}

/** `learn`: what was judged before a restart fills the windows again, and finds nothing. */
export type Mode = 'judge' | 'learn';

const NOTHING: Judged = { findings: [], sightings: [] };

export class RuleEngine {
  readonly #ports: EnginePorts;
  readonly #spend = new SpendReader();
  readonly #windows = new BoundedMap<SlidingSum>(WINDOWS_MAX);
  /** Until when a rule says no more about a subject. */
  readonly #quietUntilMs = new BoundedMap<number>(FIRED_MAX);
  readonly #sightings: SightingMemory;
  /** Of a record that could not be judged to its end. */
  #unfinished: Judgement | undefined;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
    this.#sightings = new SightingMemory(ports);
  }

  async observe(event: StoredEvent, mode: Mode): Promise<Judged> {
    const found = this.#begin(event, mode);
    if (event.action === 'key.resumed') this.#restart(event.target, event.timeMs);
    if (event.organizationId === undefined) return NOTHING;
    const rules = await this.#ports.rulesOf(event.organizationId);
    if (rules.length === 0) return NOTHING;
    if (event.action === 'alert.fired') this.#remember(rules, event);
    const key = refusedKey(event) ?? (event.action.startsWith('call.') ? event.actor : undefined);
    if (key !== undefined) await this.#judgeKey(rules, key, found);
    if (mode === 'judge') await this.#judgeEvent(rules, found);
    this.#unfinished = undefined;
    return found;
  }

  /** A record that could not be judged to its end is given again: what it has added must not be added twice. */
  #begin(event: StoredEvent, mode: Mode): Judgement {
    const last = this.#unfinished;
    if (last?.event.node === event.node && last.event.sequence === event.sequence) return last;
    const change = this.#spend.read(event);
    const fresh: Sighting[] = [];
    this.#unfinished = { event, mode, change, findings: [], sightings: [], fresh, done: new Set() };
    return this.#unfinished;
  }

  async #judgeEvent(rules: readonly Rule[], found: Judgement): Promise<void> {
    const { event } = found;
    for (const rule of rules) {
      if (rule.when.kind !== 'event' || !eventMatches(rule.when, event)) continue;
      const subject = eventSubject(event);
      if (!isAbout(rule, subject, await this.#factsFor(rule, subject))) continue;
      this.#find(found, { rule, subject, measured: { event: event.action }, requestIds: requestOf(event) });
    }
  }

  /** A child's calls count as its parent's, and as its own where a rule names it. */
  async #judgeKey(rules: readonly Rule[], keyId: string, found: Judgement): Promise<void> {
    const wanted = rules.filter(({ when }) => when.kind !== 'event');
    if (wanted.length === 0) return;
    const facts = await this.#ports.factsOf(keyId);
    if (facts === undefined) return;
    const parentId = facts.parentId;
    await this.#judgeSubject(wanted, parentId ?? keyId, { facts, found });
    if (parentId === undefined) return;
    const named = wanted.filter(({ scope, scopeIds }) => scope === 'key' && scopeIds.includes(keyId));
    await this.#judgeSubject(named, keyId, { facts, found });
  }

  async #judgeSubject(
    rules: readonly Rule[],
    subject: string,
    { facts, found }: { readonly facts: KeyFacts; readonly found: Judgement },
  ): Promise<void> {
    const about = rules.filter((rule) => isAbout(rule, subject, facts));
    const fresh = await this.#lookFor(about, subject, found);
    for (const rule of about) {
      const measured = await this.#measure(rule, subject, { found, fresh });
      if (measured === undefined || found.mode === 'learn') continue;
      this.#find(found, { rule, subject, ...measured });
    }
  }

  /** What this key is seen with for the first time, of the kinds that a rule asks for. */
  async #lookFor(rules: readonly Rule[], subject: string, found: Judgement): Promise<readonly Sighting[]> {
    const { event, mode, fresh } = found;
    if (mode === 'learn' || event.action !== 'call.opened') return [];
    for (const { kind, value } of sightingsIn(event)) {
      if (value === undefined || !rules.some(({ when }) => when.kind === `first_seen_${kind}`)) continue;
      if (found.done.has(`${kind} ${subject}`)) continue;
      const seen = { keyId: subject, kind, value, atMs: event.timeMs };
      const { news, calls } = await this.#sightings.look(seen);
      found.done.add(`${kind} ${subject}`);
      const sighting = { ...seen, calls };
      if (news === 'taught') found.sightings.push(sighting);
      if (news !== 'new') continue;
      fresh.push(sighting);
      // Where no rule may speak now, it is known from here on all the same.
      const speaks = rules.some(
        (rule) => rule.when.kind === `first_seen_${kind}` && !this.#isQuiet(rule, subject, event.timeMs),
      );
      if (!speaks) found.sightings.push(sighting);
    }
    return fresh.filter(({ keyId }) => keyId === subject);
  }

  async #measure(
    rule: Rule,
    subject: string,
    { found, fresh }: { readonly found: Judgement; readonly fresh: readonly Sighting[] },
  ): Promise<Found | undefined> {
    const { when } = rule;
    const { event } = found;
    switch (when.kind) {
      case 'spend_threshold':
      case 'spend_spike': {
        const window = this.#countSpend(rule, subject, found);
        if (window === undefined) return undefined;
        const spent = nanos(window.sumAt(event.timeMs));
        const measured = await this.#judgeSpend(when, { subject, spent, atMs: event.timeMs });
        return measured && { measured, requestIds: [...window.requestIds, ...requestOf(event)] };
      }
      case 'denied_burst': {
        const refused = refusedKey(event) === undefined ? 0n : countOf(event);
        if (refused === 0n) return undefined;
        const window = this.#windowFor(rule, subject, event.timeMs);
        if (isFirst(found, rule, subject)) window.add(refused, event.timeMs, event.requestId);
        const count = Number(window.sumAt(event.timeMs));
        if (count < when.count) return undefined;
        const measured = { refusals: count, limit: when.count, window_seconds: when.windowS };
        return { measured, requestIds: window.requestIds };
      }
      case 'first_seen_model':
      case 'first_seen_network': {
        const sighting = fresh.find(({ kind }) => when.kind === `first_seen_${kind}`);
        if (sighting === undefined) return undefined;
        return { measured: { [sighting.kind]: sighting.value }, requestIds: requestOf(event), sighting };
      }
      case 'event':
        return undefined;
    }
  }

  /** The window that an amount was added to; `undefined` when nothing was added. */
  #countSpend(rule: Rule, subject: string, found: Judgement): SlidingSum | undefined {
    const { change } = found;
    if (change === undefined) return undefined;
    const window = this.#windowFor(rule, subject, change.atMs);
    // A call from before the window began was never counted in it, so there is nothing to correct.
    if (!window.covers(change.openedAtMs)) return undefined;
    if (isFirst(found, rule, subject)) window.add(change.amount, change.atMs);
    return change.amount > 0n ? window : undefined;
  }

  async #judgeSpend(
    when: Extract<Condition, { kind: 'spend_threshold' | 'spend_spike' }>,
    of: { readonly subject: string; readonly spent: Nanos; readonly atMs: number },
  ): Promise<Measured | undefined> {
    const { spent } = of;
    const told = { spent_usd: formatUsd(spent), window_seconds: when.windowS };
    if (when.kind === 'spend_threshold')
      return spent < when.usd ? undefined : { ...told, limit_usd: formatUsd(when.usd) };
    if (spent < when.minUsd) return undefined;
    const { sum, seconds } = await this.#ports.baselineOf(of.subject, of.atMs);
    // spent ≥ multiple × sum × window / seconds, without a fraction.
    const multiple = BigInt(when.multiplePercent) * sum * BigInt(when.windowS);
    const scale = 100n * BigInt(seconds);
    if (spent * scale < multiple) return undefined;
    const limit = (multiple + scale - 1n) / scale;
    return {
      ...told,
      limit_usd: formatUsd(nanos(limit > when.minUsd ? limit : when.minUsd)),
      baseline_usd: formatUsd(nanos((sum * BigInt(when.windowS)) / BigInt(seconds))),
    };
  }

  #find(found: Judgement, of: Pick<Finding, 'rule' | 'subject'> & Found): void {
    const { rule, subject } = of;
    const { timeMs } = found.event;
    if (this.#isQuiet(rule, subject, timeMs)) return;
    this.#quietUntilMs.set(`${rule.id} ${subject}`, timeMs + rule.cooldownS * 1_000);
    found.findings.push({
      sighting: undefined,
      ...of,
      requestIds: [...new Set(of.requestIds)],
      atMs: timeMs,
    });
  }

  #isQuiet(rule: Rule, subject: string, atMs: number): boolean {
    return (this.#quietUntilMs.get(`${rule.id} ${subject}`) ?? -Infinity) > atMs;
  }

  /** Whoever has fired, this process or another: the pause is the same for all. */
  #remember(rules: readonly Rule[], event: StoredEvent): void {
    const rule = rules.find(({ id }) => id === event.target);
    const { subject, found_at: foundAt } = event.detail;
    if (rule === undefined || typeof subject !== 'string' || typeof foundAt !== 'string') return;
    this.#quietUntilMs.set(`${rule.id} ${subject}`, Date.parse(foundAt) + rule.cooldownS * 1_000);
  }

  /** A key was resumed: what was seen of it up to then counts no more, and no rule is quiet about it. */
  #restart(keyId: string, atMs: number): void {
    for (const [name, window] of this.#windows.entries())
      if (name.endsWith(` ${keyId}`)) window.restart(atMs);
    const quiet = [...this.#quietUntilMs.entries()].filter(([name]) => name.endsWith(` ${keyId}`));
    for (const [name] of quiet) this.#quietUntilMs.take(name);
  }

  /** A rule that was changed counts anew. */
  #windowFor(rule: Rule, subject: string, atMs: number): SlidingSum {
    const name = `${rule.id} ${rule.updatedAtMs} ${subject}`;
    const known = this.#windows.get(name);
    if (known !== undefined) return known;
    const window = new SlidingSum(windowMsOf(rule.when), atMs);
    this.#windows.set(name, window);
    return window;
  }

  #factsFor({ scope }: Rule, subject: string): Promise<KeyFacts | undefined> {
    return scope === 'project' && subject.startsWith('key_')
      ? this.#ports.factsOf(subject)
      : Promise.resolve(undefined);
  }
}

interface Judgement {
  readonly event: StoredEvent;
  readonly mode: Mode;
  readonly change: SpendChange | undefined;
  readonly findings: Finding[];
  readonly sightings: Sighting[];
  /** What was seen for the first time. */
  readonly fresh: Sighting[];
  /** What was counted and looked for already. */
  readonly done: Set<string>;
}

function isFirst({ done }: Judgement, { id }: Rule, subject: string): boolean {
  const name = `${id} ${subject}`;
  if (done.has(name)) return false;
  done.add(name);
  return true;
}

interface Found {
  readonly measured: Measured;
  readonly requestIds: readonly string[];
  readonly sighting?: Sighting | undefined;
}

function sightingsIn(event: StoredEvent): readonly { kind: SightingKind; value: string | undefined }[] {
  const { provider, model } = event.detail;
  const isNamed = typeof provider === 'string' && typeof model === 'string';
  return [
    { kind: 'model', value: isNamed ? `${provider}/${model}` : undefined },
    { kind: 'network', value: event.address === undefined ? undefined : networkOf(event.address) },
  ];
}

function countOf({ detail }: StoredEvent): bigint {
  const { count } = detail;
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? BigInt(count) : 1n;
}

function requestOf({ requestId }: StoredEvent): readonly string[] {
  return requestId === undefined ? [] : [requestId];
}
