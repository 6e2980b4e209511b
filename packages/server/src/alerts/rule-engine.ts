/**
 * Judges audit records by the rules: events in, findings out. It writes nothing, and the time is that of the records. Records
 * of one node come in their order; those of several nodes may be mixed.
 */
import type { StoredEvent } from '../audit/stored-event.ts';
import { type Nanos, nanos } from '@keyfold/protocol';
import { BoundedMap } from './bounded-map.ts';
import type { Baseline } from './baseline.ts';
import { eventMatches, eventSubject, isAbout, isKeyId, refusedKey } from './judge-event.ts';
import { judgeSpike, judgeThreshold } from './judge-spend.ts';
import { type Judgement, countOf, isFirst, requestOf, sightingIn } from './judgement.ts';
import type { Finding, KeyFacts, Measured, Rule, Sighting, SightingKind } from './rule.ts';
import { CLOCK_SKEW_MAX_MS, windowMsOf } from './rule.ts';
import { type KnownSightings, SightingMemory } from './sighting-memory.ts';
import { SlidingSum } from './sliding-sum.ts';
import { SpendReader } from './spend.ts';
import { type RulesOf, type Subject, type Watched, type WatchedKey } from './watched-key.ts';
import { Pauses } from './pauses.ts';
import { nameOf, sortRules, watchKey } from './watched-key.ts';

/** One for each rule and key that it is about; beyond it the one that was used longest ago begins anew. */
const WINDOWS_MAX = 20_000;
const KEYS_MAX = 10_000;
/** Before the name of what was found already; a name alone is of what was counted. */
const PAUSE = 'found ';

/** What is known is answered at once: most records are judged without waiting for anything. */
export interface EnginePorts {
  nowMs(): number;
  factsOf(keyId: string): KeyFacts | undefined | Promise<KeyFacts | undefined>;
  baselineOf(keyId: string, nowMs: number): Baseline | Promise<Baseline>;
  sightingsOf(keyId: string, kind: SightingKind): Promise<KnownSightings>;
}

export interface Judged {
  readonly findings: readonly Finding[];
  /** To be remembered, of keys that are still being learned. */
  readonly sightings: readonly Sighting[];
}

/** `learn`: what was judged before a restart fills the windows again, and finds nothing. */
export type Mode = 'judge' | 'learn';

/** It cannot be judged to its end before what is awaited is there; it is then judged again from its beginning. */
const WAITS = Symbol('waits');

interface Found {
  readonly measured: Measured;
  readonly requestIds: readonly string[];
  readonly sighting?: Sighting | undefined;
}

export class RuleEngine {
  readonly #ports: EnginePorts;
  readonly #spend = new SpendReader();
  readonly #windows = new BoundedMap<SlidingSum>(WINDOWS_MAX);
  readonly #pauses = new Pauses();
  readonly #sightings: SightingMemory;
  #rules: ReadonlyMap<string, RulesOf> = new Map();
  #keys = new BoundedMap<WatchedKey>(KEYS_MAX);
  /** By node: the record that could not be judged to its end. */
  readonly #unfinished = new Map<number, Judgement>();
  #awaited: Promise<unknown> = Promise.resolve();

  constructor(ports: EnginePorts) {
    this.#ports = ports;
    this.#sightings = new SightingMemory(ports);
  }

  /** What is judged from here on is judged by these. */
  follow(rules: readonly Rule[]): void {
    this.#rules = sortRules(rules);
    this.#keys = new BoundedMap(KEYS_MAX);
  }

  /** Where it throws, or rejects, the record is to be given again before any other of its node. */
  observe(event: StoredEvent, mode: Mode): Judged | Promise<Judged> {
    const latestMs = this.#ports.nowMs() + CLOCK_SKEW_MAX_MS;
    // Where a clock was ahead, what it said must not push what others say out of the windows, nor make a pause long.
    const heard = event.timeMs <= latestMs ? event : { ...event, timeMs: latestMs };
    const found = this.#begin(heard, mode);
    return this.#judge(found) === WAITS ? this.#judgeLater(found) : found;
  }

  async #judgeLater(found: Judgement): Promise<Judged> {
    const { node } = found.event;
    this.#unfinished.set(node, found);
    do await this.#awaited;
    while (this.#judge(found) === WAITS);
    this.#unfinished.delete(node);
    return found;
  }

  /** A record that could not be judged to its end is given again: what it has added must not be added twice. */
  #begin(event: StoredEvent, mode: Mode): Judgement {
    const last = this.#unfinished.size === 0 ? undefined : this.#unfinished.get(event.node);
    if (last?.event.sequence === event.sequence) return last;
    const refused = refusedKey(event);
    return {
      event,
      mode,
      refused,
      key: refused ?? (event.action.startsWith('call.') ? event.actor : undefined),
      change: this.#spend.read(event),
      findings: [],
      sightings: [],
      fresh: [],
      done: [],
      unknown: undefined,
      baselines: undefined,
    };
  }

  #judge(found: Judgement): typeof WAITS | undefined {
    const { event, mode, key } = found;
    if (event.action === 'key.resumed') this.#restart(event.target, event.timeMs);
    const rules = event.organizationId === undefined ? undefined : this.#rules.get(event.organizationId);
    if (rules === undefined) return undefined;
    const fired = event.action === 'alert.fired' ? rules.byId.get(event.target) : undefined;
    if (fired !== undefined) this.#pauses.remember(fired, event);
    if (key !== undefined && rules.keys.length > 0) {
      const watched = this.#watch(key, rules, found);
      if (watched === WAITS) return WAITS;
      for (const subject of watched?.subjects ?? [])
        if (this.#judgeSubject(subject, found) === WAITS) return WAITS;
    }
    return mode === 'judge' && rules.events.length > 0 ? this.#judgeEvent(rules, found) : undefined;
  }

  #judgeEvent(rules: RulesOf, found: Judgement): typeof WAITS | undefined {
    const { event } = found;
    for (const rule of rules.events) {
      if (rule.when.kind !== 'event' || !eventMatches(rule.when, event)) continue;
      const subject = eventSubject(event);
      const asksFacts = rule.scope === 'project' && isKeyId(subject);
      const watched = asksFacts ? this.#watch(subject, rules, found) : undefined;
      if (watched === WAITS) return WAITS;
      if (!isAbout(rule, subject, watched?.facts)) continue;
      const measured = { event: event.action };
      const name = nameOf(rule, subject);
      this.#find(found, { rule, subject, name, measured, requestIds: requestOf(event) });
    }
    return undefined;
  }

  #judgeSubject(subject: Subject, found: Judgement): typeof WAITS | undefined {
    const { event, mode } = found;
    if (subject.sightings.length > 0 && mode === 'judge' && event.action === 'call.opened') {
      if (this.#lookFor(subject, found) === WAITS) return WAITS;
    }
    for (const watched of subject.watched) {
      const measured = this.#measure(watched, subject.id, found);
      if (measured === WAITS) return WAITS;
      if (measured === undefined || mode === 'learn') continue;
      this.#find(found, { ...watched, subject: subject.id, ...measured });
    }
    return undefined;
  }

  /** What this key is seen with for the first time, of the kinds that a rule asks for. */
  #lookFor({ id, watched, sightings }: Subject, found: Judgement): typeof WAITS | undefined {
    const { event } = found;
    for (const { kind, name } of sightings) {
      const value = sightingIn(event, kind);
      if (value === undefined || found.done.includes(name)) continue;
      const known = this.#sightings.find(id, kind);
      if (known === undefined) {
        this.#awaited = this.#sightings.load(id, kind, event.timeMs);
        return WAITS;
      }
      const { news, calls } = known.look(value, event.timeMs);
      found.done.push(name);
      if (news === 'known') continue;
      const sighting = { keyId: id, kind, value, atMs: event.timeMs, calls };
      if (news === 'new') found.fresh.push(sighting);
      // Where no rule may speak now, it is known from here on all the same.
      const speaks = watched.some(
        ({ rule, name }) =>
          rule.when.kind === `first_seen_${kind}` && !this.#pauses.isQuiet(name, event.timeMs),
      );
      if (news === 'taught' || !speaks) found.sightings.push(sighting);
    }
    return undefined;
  }

  #measure(watched: Watched, subject: string, found: Judgement): Found | typeof WAITS | undefined {
    const { when } = watched.rule;
    const { event } = found;
    switch (when.kind) {
      case 'spend_threshold':
      case 'spend_spike': {
        const window = this.#countSpend(watched, found);
        if (window === undefined) return undefined;
        const spent = nanos(window.sumAt(event.timeMs));
        const measured =
          when.kind === 'spend_threshold'
            ? judgeThreshold(when, spent)
            : this.#judgeSpike(when, { subject, spent, found });
        if (measured === undefined || measured === WAITS) return measured;
        return { measured, requestIds: [...window.requestIds, ...requestOf(event)] };
      }
      case 'denied_burst': {
        if (found.refused === undefined) return undefined;
        const window = this.#windowFor(watched);
        if (isFirst(found, watched.name)) window.add(countOf(event), event.timeMs, event.requestId);
        const count = Number(window.sumAt(event.timeMs));
        if (count < when.count) return undefined;
        const measured = { refusals: count, limit: when.count, window_seconds: when.windowS };
        return { measured, requestIds: window.requestIds };
      }
      case 'first_seen_model':
      case 'first_seen_network': {
        if (found.fresh.length === 0) return undefined;
        const sighting = found.fresh.find(
          ({ keyId, kind }) => keyId === subject && when.kind === `first_seen_${kind}`,
        );
        if (sighting === undefined) return undefined;
        return { measured: { [sighting.kind]: sighting.value }, requestIds: requestOf(event), sighting };
      }
      case 'event':
        return undefined;
    }
  }

  /** The window that an amount was added to; `undefined` when nothing was added. */
  #countSpend(watched: Watched, found: Judgement): SlidingSum | undefined {
    const { change } = found;
    if (change === undefined) return undefined;
    const window = this.#windowFor(watched, change.place);
    if (!window.covers(change.openedAtMs)) return undefined;
    // A call from before the window began was never counted in it, so there is nothing to take away.
    if (change.amount < 0n && change.openedPlace < window.place) return undefined;
    if (isFirst(found, watched.name)) window.add(change.amount, change.atMs);
    return change.amount > 0n ? window : undefined;
  }

  #judgeSpike(
    when: Parameters<typeof judgeSpike>[0],
    of: { readonly subject: string; readonly spent: Nanos; readonly found: Judgement },
  ): Measured | typeof WAITS | undefined {
    const { subject, spent, found } = of;
    if (spent < when.minUsd) return undefined;
    const baseline = found.baselines?.get(subject) ?? this.#ports.baselineOf(subject, found.event.timeMs);
    if (!(baseline instanceof Promise)) return judgeSpike(when, spent, baseline);
    this.#awaited = baseline.then((read) => (found.baselines ??= new Map()).set(subject, read));
    return WAITS;
  }

  /** `undefined` for a key that is no more. */
  #watch(keyId: string, rules: RulesOf, found: Judgement): WatchedKey | typeof WAITS | undefined {
    const known = this.#keys.get(keyId);
    if (known !== undefined) return known;
    if (found.unknown === keyId) return undefined;
    const keep = (facts: KeyFacts | undefined): WatchedKey | undefined => {
      if (facts === undefined) {
        found.unknown = keyId;
        return undefined;
      }
      const watched = watchKey(keyId, facts, rules.keys);
      this.#keys.set(keyId, watched);
      return watched;
    };
    const facts = this.#ports.factsOf(keyId);
    if (!(facts instanceof Promise)) return keep(facts);
    this.#awaited = facts.then(keep);
    return WAITS;
  }

  #find(found: Judgement, of: Pick<Finding, 'rule' | 'subject'> & Found & Pick<Watched, 'name'>): void {
    const { rule, subject, name, measured, requestIds, sighting } = of;
    const { timeMs: atMs } = found.event;
    if (this.#pauses.isQuiet(name, atMs) || !isFirst(found, `${PAUSE}${name}`)) return;
    this.#pauses.begin(name, rule, atMs);
    found.findings.push({ rule, subject, atMs, measured, requestIds: [...new Set(requestIds)], sighting });
  }

  /** A key was resumed: what was seen of it up to then counts no more, and no rule is quiet about it. */
  #restart(keyId: string, atMs: number): void {
    for (const [name, window] of this.#windows.entries())
      if (name.endsWith(` ${keyId}`)) window.restart(atMs);
    this.#pauses.forget(keyId);
  }

  #windowFor({ rule, name }: Watched, place = 0): SlidingSum {
    const known = this.#windows.get(name);
    if (known !== undefined) return known;
    const window = new SlidingSum(windowMsOf(rule.when), place);
    this.#windows.set(name, window);
    return window;
  }
}
