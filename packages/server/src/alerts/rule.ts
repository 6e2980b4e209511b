/** What an alert rule is: about which keys, when it fires, whom it tells, and what it does to the key. */
import type { Id, Nanos } from '@keyfold/protocol';

export const RULE_SCOPES = ['organization', 'project', 'key'] as const;
export type RuleScope = (typeof RULE_SCOPES)[number];

/** Seconds that a window may have. */
export const WINDOW_S = { min: 10, max: 86_400 };
/** Seconds after a firing in which the rule says no more about the same key. */
export const COOLDOWN_S = { min: 10, max: 604_800, fallback: 3_600 };
export const RULES_MAX = 100;
export const SCOPE_IDS_MAX = 100;
export const WEBHOOKS_OF_RULE_MAX = 10;
export const ACTIONS_OF_EVENT_MAX = 20;
/** So far ahead may the clock of a node be that wrote a record; what claims to be later is taken to be from then. */
export const CLOCK_SKEW_MAX_MS = 5_000;
/** A rule about firings would fire at itself. */
export const NEVER_OBSERVED = 'alert.fired';

export type Condition =
  | {
      readonly kind: 'event';
      readonly actions: readonly string[];
      readonly decision?: 'allowed' | 'denied' | undefined;
      readonly actor?: string | undefined;
    }
  | { readonly kind: 'spend_threshold'; readonly usd: Nanos; readonly windowS: number }
  | {
      readonly kind: 'spend_spike';
      /** Of the baseline, in hundredths. */
      readonly multiplePercent: number;
      readonly minUsd: Nanos;
      readonly windowS: number;
    }
  | { readonly kind: 'first_seen_model' }
  | { readonly kind: 'first_seen_network' }
  | { readonly kind: 'denied_burst'; readonly count: number; readonly windowS: number };

export type ConditionKind = Condition['kind'];

export type RuleAction =
  | { readonly kind: 'none' }
  | { readonly kind: 'throttle'; readonly requestsPerMinute: number }
  | { readonly kind: 'suspend' };

export interface Rule {
  readonly id: Id<'alertRule'>;
  readonly organizationId: Id<'organization'>;
  readonly name: string;
  readonly scope: RuleScope;
  /** Projects or keys; empty for the organization. */
  readonly scopeIds: readonly string[];
  readonly when: Condition;
  readonly webhookIds: readonly string[];
  readonly action: RuleAction;
  readonly cooldownS: number;
  readonly isEnabled: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What of a key decides which rules are about it. None of it ever changes. */
export interface KeyFacts {
  readonly organizationId: string;
  readonly projectId: string;
  readonly createdAtMs: number;
  /** Of a child: its calls count as its parent's. */
  readonly parentId: string | undefined;
}

export function windowMsOf(when: Condition): number {
  return 'windowS' in when ? when.windowS * 1_000 : 0;
}

/** Which of its versions a rule is, as firings tell it. */
export function renderVersion({ updatedAtMs }: Rule): string {
  return new Date(updatedAtMs).toISOString();
}

/** What was measured, in words and amounts that may be told. */
export type Measured = Readonly<Record<string, string | number>>;

/** A model or network that a key was not seen with before. */
export interface Sighting {
  readonly keyId: string;
  readonly kind: SightingKind;
  readonly value: string;
  readonly atMs: number;
  /** Of the key so far, as far as they teach. */
  readonly calls: number;
}

export const SIGHTING_KINDS = ['model', 'network'] as const;
export type SightingKind = (typeof SIGHTING_KINDS)[number];

/** A rule holds: it is to fire, unless it has fired about the same a moment ago. */
export interface Finding {
  readonly rule: Rule;
  /** The key that it is about, or what else an event was about. */
  readonly subject: string;
  /** Of the record in which it was found. */
  readonly atMs: number;
  readonly measured: Measured;
  readonly requestIds: readonly string[];
  /** Is remembered together with the firing: until then it is still new. */
  readonly sighting: Sighting | undefined;
}
