/** Reads alert rules as the API takes them, and shows them. */
import { formatUsd } from '@keyfold/protocol';
import { AUDIT_ACTIONS } from '../../audit/audit-event.ts';
import {
  ACTIONS_OF_EVENT_MAX,
  COOLDOWN_S,
  type Condition,
  NEVER_OBSERVED,
  RULE_SCOPES,
  type Rule,
  type RuleAction,
  SCOPE_IDS_MAX,
  WEBHOOKS_OF_RULE_MAX,
  WINDOW_S,
} from '../../alerts/rule.ts';
import type { Json } from '../endpoint.ts';
import { renderTime } from '../list-page.ts';
import { name, usd, z } from '../schemas.ts';

const COUNT_MAX = 1_000_000;
/** A spike is more than what is usual. */
const MULTIPLE = { min: 1.01, max: 10_000 };
const window = z.int().min(WINDOW_S.min).max(WINDOW_S.max);
const id = z.string().min(1).max(100);
const positiveUsd = usd.refine((amount) => amount > 0n, 'must be more than zero');

const when = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('event'),
    actions: z
      .array(z.enum(AUDIT_ACTIONS.filter((action) => action !== NEVER_OBSERVED)))
      .min(1)
      .max(ACTIONS_OF_EVENT_MAX),
    decision: z.enum(['allowed', 'denied']).optional(),
    actor: id.optional(),
  }),
  z.strictObject({ kind: z.literal('spend_threshold'), usd: positiveUsd, window_seconds: window }),
  z.strictObject({
    kind: z.literal('spend_spike'),
    multiple: z.number().min(MULTIPLE.min).max(MULTIPLE.max).multipleOf(0.01),
    min_usd: positiveUsd,
    window_seconds: window,
  }),
  z.strictObject({ kind: z.literal('first_seen_model') }),
  z.strictObject({ kind: z.literal('first_seen_network') }),
  z.strictObject({
    kind: z.literal('denied_burst'),
    count: z.int().min(1).max(COUNT_MAX),
    window_seconds: window,
  }),
]);

const action = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('throttle'), requests_per_minute: z.int().min(1).max(COUNT_MAX) }),
  z.strictObject({ kind: z.literal('suspend') }),
]);

const fields = {
  name,
  scope: z.enum(RULE_SCOPES),
  scope_ids: z.array(id).max(SCOPE_IDS_MAX),
  when,
  webhook_ids: z.array(id).max(WEBHOOKS_OF_RULE_MAX),
  action,
  cooldown_seconds: z.int().min(COOLDOWN_S.min).max(COOLDOWN_S.max),
  enabled: z.boolean(),
};

export const createRuleBody = z.strictObject({
  ...fields,
  scope: fields.scope.default('organization'),
  scope_ids: fields.scope_ids.default([]),
  webhook_ids: fields.webhook_ids.default([]),
  action: fields.action.default({ kind: 'none' }),
  cooldown_seconds: fields.cooldown_seconds.default(COOLDOWN_S.fallback),
  enabled: fields.enabled.default(true),
});
export const updateRuleBody = z.strictObject(fields).partial();
export type CreateRuleBody = z.infer<typeof createRuleBody>;
export type UpdateRuleBody = z.infer<typeof updateRuleBody>;

export const ruleView = z
  .object({
    object: z.literal('alert_rule'),
    id: z.string(),
    name: z.string(),
    scope: fields.scope,
    scope_ids: z.array(z.string()),
    when: z.looseObject({ kind: z.string() }),
    webhook_ids: z.array(z.string()),
    action: z.looseObject({ kind: z.string() }),
    cooldown_seconds: z.number(),
    enabled: z.boolean(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('AlertRule');

export function readWhen(body: z.infer<typeof when>): Condition {
  switch (body.kind) {
    case 'event':
      return { ...body, actions: [...new Set(body.actions)] };
    case 'spend_threshold':
      return { kind: body.kind, usd: body.usd, windowS: body.window_seconds };
    case 'spend_spike':
      return {
        kind: body.kind,
        multiplePercent: Math.round(body.multiple * 100),
        minUsd: body.min_usd,
        windowS: body.window_seconds,
      };
    case 'denied_burst':
      return { kind: body.kind, count: body.count, windowS: body.window_seconds };
    case 'first_seen_model':
    case 'first_seen_network':
      return body;
  }
}

export function readAction(body: z.infer<typeof action>): RuleAction {
  return body.kind === 'throttle'
    ? { kind: body.kind, requestsPerMinute: body.requests_per_minute }
    : { kind: body.kind };
}

export function renderRule(rule: Rule): Json {
  return {
    object: 'alert_rule',
    id: rule.id,
    name: rule.name,
    scope: rule.scope,
    scope_ids: rule.scopeIds,
    when: renderWhen(rule.when),
    webhook_ids: rule.webhookIds,
    action: renderAction(rule.action),
    cooldown_seconds: rule.cooldownS,
    enabled: rule.isEnabled,
    created_at: renderTime(rule.createdAtMs),
    updated_at: renderTime(rule.updatedAtMs),
  };
}

function renderWhen(condition: Condition): Json {
  switch (condition.kind) {
    case 'event': {
      const { decision = null, actor = null } = condition;
      return { kind: condition.kind, actions: condition.actions, decision, actor };
    }
    case 'spend_threshold':
      return { kind: condition.kind, usd: formatUsd(condition.usd), window_seconds: condition.windowS };
    case 'spend_spike':
      return {
        kind: condition.kind,
        multiple: condition.multiplePercent / 100,
        min_usd: formatUsd(condition.minUsd),
        window_seconds: condition.windowS,
      };
    case 'denied_burst':
      return { kind: condition.kind, count: condition.count, window_seconds: condition.windowS };
    case 'first_seen_model':
    case 'first_seen_network':
      return { kind: condition.kind };
  }
}

export function renderAction(of: RuleAction): Json {
  return of.kind === 'throttle'
    ? { kind: of.kind, requests_per_minute: of.requestsPerMinute }
    : { kind: of.kind };
}
