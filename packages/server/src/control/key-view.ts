/** What the API shows of a key: everything but its secret. */
import { formatUsd } from '@keyfold/protocol';
import type { Key, KeyVersion } from '../keys/key.ts';
import { type BudgetState, SCOPES } from '../ledger/budget.ts';
import { PERIODS } from '../ledger/period.ts';
import type { Json } from './endpoint.ts';
import { renderTime } from './list-page.ts';
import { budgetView, z } from './schemas.ts';

export const keyView = z
  .object({
    object: z.literal('key'),
    id: z.string(),
    name: z.string().nullable(),
    kind: z.string(),
    project_id: z.string(),
    permissions: z.array(z.string()),
    models: z.array(z.string()).nullable(),
    networks: z.array(z.string()).nullable(),
    limits: z.object({
      requests_per_minute: z.number().nullable(),
      tokens_per_minute: z.number().nullable(),
      concurrent_requests: z.number().nullable(),
    }),
    budgets: z.array(budgetView),
    expires_at: z.string().nullable(),
    revoked_at: z.string().nullable(),
    auto_rotate: z.boolean(),
    rotation_interval: z.number(),
    metadata: z.record(z.string(), z.string()).nullable(),
    created_at: z.string(),
    versions: z.array(
      z.object({
        id: z.string(),
        version: z.number(),
        display: z.string(),
        created_at: z.string(),
        expires_at: z.string().nullable(),
      }),
    ),
  })
  .openapi('Key');

export function renderKey(
  key: Key,
  of: { readonly versions: readonly KeyVersion[]; readonly budgets: readonly BudgetState[] },
): { readonly [name: string]: Json } {
  return {
    object: 'key',
    id: key.id,
    name: key.name ?? null,
    kind: key.kind,
    project_id: key.projectId,
    permissions: key.permissions,
    models: key.models ?? null,
    networks: key.networks ?? null,
    limits: renderLimits(key),
    budgets: renderBudgets(of.budgets),
    expires_at: renderTime(key.expiresAtMs),
    revoked_at: renderTime(key.revokedAtMs),
    auto_rotate: key.autoRotate,
    rotation_interval: key.rotationIntervalS,
    metadata: key.metadata ?? null,
    created_at: renderTime(key.createdAtMs),
    versions: of.versions.map((version) => ({
      id: version.id,
      version: version.version,
      display: version.display,
      created_at: renderTime(version.createdAtMs),
      expires_at: renderTime(version.expiresAtMs),
    })),
  };
}

export function renderLimits(key: Key): Json {
  return {
    requests_per_minute: key.limits.requestsPerMinute ?? null,
    tokens_per_minute: key.limits.tokensPerMinute ?? null,
    concurrent_requests: key.limits.concurrentRequests ?? null,
  };
}

/** From the key outwards, and from the shortest period: always in the same order. */
export function renderBudgets(states: readonly BudgetState[]): Json {
  const place = ({ budget }: BudgetState) =>
    SCOPES.indexOf(budget.scope) * PERIODS.length + PERIODS.indexOf(budget.period);
  return states.toSorted((a, b) => place(a) - place(b)).map((state) => renderBudget(state));
}

export function renderBudget({ budget, posted, held, remaining, resetsAtMs }: BudgetState): Json {
  return {
    id: budget.id,
    scope: budget.scope,
    scope_id: budget.scopeId,
    period: budget.period,
    cap_usd: formatUsd(budget.cap),
    posted_usd: formatUsd(posted),
    held_usd: formatUsd(held),
    remaining_usd: formatUsd(remaining),
    resets_at: renderTime(resetsAtMs),
  };
}
