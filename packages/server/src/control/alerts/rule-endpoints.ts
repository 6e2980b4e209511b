/** Alert rules: create, list, show, change, delete. */
import type { Condition, Rule, RuleScope } from '../../alerts/rule.ts';
import { RULES_MAX } from '../../alerts/rule.ts';
import type { RuleStore } from '../../alerts/rule-store.ts';
import type { WebhookStore } from '../../alerts/webhook-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import type { NewId } from '../../kernel/new-id.ts';
import type { Principal } from '../../keys/key.ts';
import type { KeyStore } from '../../keys/key-store.ts';
import type { ProjectStore } from '../../tenants/project-store.ts';
import { describeChange } from '../describe-change.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { cutPage, renderPage } from '../list-page.ts';
import { idParams, listOf, listQuery } from '../schemas.ts';
import {
  type CreateRuleBody,
  type UpdateRuleBody,
  createRuleBody,
  readAction,
  readWhen,
  renderRule,
  ruleView,
  updateRuleBody,
} from './rule-input.ts';

export interface RuleRooms {
  readonly alertRules: RuleStore;
  readonly webhooks: WebhookStore;
  readonly keys: KeyStore;
  readonly projects: ProjectStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

const TAG = 'Alerts';

export function ruleEndpoints(rooms: RuleRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'post',
      path: '/v1/alerts/rules',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Make a rule: when it fires, whom it tells, and what it does to the key.',
      body: createRuleBody,
      response: { status: 201, schema: ruleView },
      handle: ({ principal, body }) => createRule(rooms, principal, body),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/alerts/rules',
      permission: 'alerts:read',
      tag: TAG,
      summary: 'List alert rules, newest first.',
      query: listQuery,
      response: { status: 200, schema: listOf(ruleView) },
      handle: async ({ principal, query }) => {
        const of = { id: ({ id }: Rule) => id, view: renderRule, order: 'newest' } as const;
        const rules = await rooms.alertRules.list(principal.key.organizationId);
        return ok(renderPage(cutPage(rules, query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/alerts/rules/{id}',
      permission: 'alerts:read',
      tag: TAG,
      summary: 'Show an alert rule.',
      params: idParams,
      response: { status: 200, schema: ruleView },
      handle: async ({ principal, params }) => {
        const rules = await rooms.alertRules.list(principal.key.organizationId);
        const found = rules.find(({ id }) => id === params.id);
        return found === undefined ? new Denial('not_found') : ok(renderRule(found));
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/alerts/rules/{id}',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Change an alert rule. What is not named stays; its windows begin anew.',
      params: idParams,
      body: updateRuleBody,
      response: { status: 200, schema: ruleView },
      handle: ({ principal, params, body }) => updateRule(rooms, principal, { id: params.id, body }),
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/alerts/rules/{id}',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Delete an alert rule. What it has done to keys stays until they are resumed.',
      params: idParams,
      response: { status: 204 },
      handle: ({ principal, params }) => deleteRule(rooms, principal, params.id),
    }),
  ];
}

async function createRule(
  rooms: RuleRooms,
  principal: Principal,
  body: CreateRuleBody,
): Promise<Change | Denial> {
  const { organizationId } = principal.key;
  const all = await rooms.alertRules.list(organizationId);
  if (all.length >= RULES_MAX)
    return new Denial('conflict', { message: `There are ${RULES_MAX} alert rules already.` });
  const nowMs = rooms.clock.nowMs();
  const rule: Rule = {
    id: rooms.newId('alertRule'),
    organizationId,
    name: body.name,
    scope: body.scope,
    scopeIds: [...new Set(body.scope_ids)],
    when: readWhen(body.when),
    webhookIds: [...new Set(body.webhook_ids)],
    action: readAction(body.action),
    cooldownS: body.cooldown_seconds,
    isEnabled: body.enabled,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const refused = await checkRule(rooms, rule, all);
  if (refused !== undefined) return refused;
  return {
    steps: [rooms.alertRules.insertStep(rule)],
    events: [{ action: 'alert_rule.created', target: rule.id, detail: describe(rule) }],
    isAdditive: true,
    afterwards: () => rooms.alertRules.forget(),
    reply: { status: 201, body: renderRule(rule) },
  };
}

async function updateRule(
  rooms: RuleRooms,
  principal: Principal,
  of: { readonly id: string; readonly body: UpdateRuleBody },
): Promise<Change | Denial> {
  const { body } = of;
  const all = await rooms.alertRules.list(principal.key.organizationId);
  const before = all.find(({ id }) => id === of.id);
  if (before === undefined) return new Denial('not_found');
  const rule: Rule = {
    ...before,
    name: body.name ?? before.name,
    scope: body.scope ?? before.scope,
    scopeIds: body.scope_ids === undefined ? before.scopeIds : [...new Set(body.scope_ids)],
    when: body.when === undefined ? before.when : readWhen(body.when),
    webhookIds: body.webhook_ids === undefined ? before.webhookIds : [...new Set(body.webhook_ids)],
    action: body.action === undefined ? before.action : readAction(body.action),
    cooldownS: body.cooldown_seconds ?? before.cooldownS,
    isEnabled: body.enabled ?? before.isEnabled,
    // The guard of the next change: it must differ even within a millisecond.
    updatedAtMs: Math.max(rooms.clock.nowMs(), before.updatedAtMs + 1),
  };
  const refused = await checkRule(rooms, rule, all);
  if (refused !== undefined) return refused;
  return {
    steps: [rooms.alertRules.replaceStep(rule, before.updatedAtMs)],
    events: [
      {
        action: 'alert_rule.updated',
        target: rule.id,
        detail: describeChange(renderRule(before), renderRule(rule)),
      },
    ],
    isAdditive: true,
    afterwards: () => rooms.alertRules.forget(),
    reply: ok(renderRule(rule)),
  };
}

async function deleteRule(rooms: RuleRooms, { key }: Principal, id: string): Promise<Change> {
  // Of one that was edited outside Keyfold nothing is vouched for, and it can be deleted all the same.
  const rule = await rooms.alertRules.find(id);
  const isOwn = rule?.organizationId === key.organizationId;
  return {
    steps: [rooms.alertRules.removeStep(key.organizationId, id)],
    events: [
      { action: 'alert_rule.deleted', target: id, detail: isOwn ? describe(rule) : { was_edited: true } },
    ],
    isAdditive: true,
    refusals: [new Denial('not_found')],
    afterwards: () => rooms.alertRules.forget(),
    reply: { status: 204, body: undefined },
  };
}

/** Everything that a rule names is there, and is of its organization. */
async function checkRule(rooms: RuleRooms, rule: Rule, all: readonly Rule[]): Promise<Denial | undefined> {
  if (all.some(({ id, name }) => name === rule.name && id !== rule.id)) {
    return new Denial('conflict', { message: `There is an alert rule named '${rule.name}'.`, param: 'name' });
  }
  const { scope, scopeIds, organizationId } = rule;
  if ((scope === 'organization') !== (scopeIds.length === 0)) {
    return new Denial('invalid_request', {
      message: "'scope_ids' names the projects or keys of a rule, and nothing else does.",
      param: 'scope_ids',
    });
  }
  for (const id of scopeIds) {
    if (!(await isThere(rooms, { scope, organizationId, id })))
      return new Denial('not_found', { message: `There is no such ${scope}.`, param: 'scope_ids' });
  }
  if (rule.webhookIds.length === 0) return undefined;
  const webhooks = await rooms.webhooks.list(organizationId);
  return rule.webhookIds.every((wanted) => webhooks.some(({ id }) => id === wanted))
    ? undefined
    : new Denial('not_found', { message: 'There is no such webhook.', param: 'webhook_ids' });
}

async function isThere(
  rooms: RuleRooms,
  of: { readonly scope: RuleScope; readonly organizationId: Rule['organizationId']; readonly id: string },
): Promise<boolean> {
  const found =
    of.scope === 'project'
      ? await rooms.projects.find(of.organizationId, of.id)
      : await rooms.keys.findKey(of.organizationId, of.id);
  return found !== undefined;
}

function describe({ name, scope, scopeIds, when, webhookIds, action, cooldownS, isEnabled }: Rule) {
  const throttle = action.kind === 'throttle' ? { requests_per_minute: action.requestsPerMinute } : {};
  return {
    name,
    scope,
    scope_ids: scopeIds,
    kind: (when satisfies Condition).kind,
    action: action.kind,
    ...throttle,
    webhook_ids: webhookIds,
    cooldown_seconds: cooldownS,
    enabled: isEnabled,
  };
}
