/** What the API shows of a key: everything but its secret. */
import { formatUsd } from '@keyfold/protocol';
import type { CountedVersion, Key } from '../../keys/key.ts';
import type { CountedSigningSecret } from '../../signing/signing-secret.ts';
import { type BudgetState, SCOPES } from '../../ledger/budget.ts';
import { PERIODS } from '../../ledger/period.ts';
import type { Json } from '../endpoint.ts';
import { limitsView, renderLimits } from '../limits.ts';
import { renderTime } from '../list-page.ts';
import { budgetView, z } from '../schemas.ts';

const versionView = z.object({
  id: z.string(),
  version: z.number(),
  display: z.string(),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  uses: z.number(),
  last_used_at: z.string().nullable(),
});

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
    limits: limitsView,
    budgets: z.array(budgetView),
    not_before: z.string().nullable(),
    expires_at: z.string().nullable(),
    quarantined_at: z.string().nullable(),
    /** What an alert rule has done to it, until it is resumed. */
    breaker: z
      .object({
        state: z.enum(['suspended', 'throttled']),
        rule_id: z.string(),
        since: z.string(),
        requests_per_minute: z.number().nullable(),
      })
      .nullable(),
    revoked_at: z.string().nullable(),
    estimate: z.object({
      policy: z.enum(['worst_case', 'measured']),
      multiple: z.number().optional(),
      floor_usd: z.string().optional(),
    }),
    clamp_output: z.boolean(),
    auto_rotate: z.boolean(),
    rotation_interval: z.number(),
    parent_id: z.string().nullable(),
    parent_version: z.number().nullable(),
    canary: z.boolean(),
    signing: z
      .object({
        required: z.boolean(),
        versions: z.array(z.string()),
        algorithm: z.string(),
        secrets: z.array(versionView),
      })
      .nullable(),
    metadata: z.record(z.string(), z.string()).nullable(),
    created_at: z.string(),
    versions: z.array(versionView.extend({ rotation_id: z.string().nullable() })),
  })
  .openapi('Key');

export function renderKey(
  key: Key,
  of: {
    readonly versions: readonly CountedVersion[];
    readonly budgets: readonly BudgetState[];
    readonly secrets: readonly CountedSigningSecret[];
  },
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
    limits: renderLimits(key.limits),
    budgets: renderBudgets(of.budgets),
    not_before: renderTime(key.notBeforeMs),
    expires_at: renderTime(key.expiresAtMs),
    quarantined_at: renderTime(key.quarantinedAtMs),
    breaker: renderBreaker(key),
    revoked_at: renderTime(key.revokedAtMs),
    estimate: renderEstimate(key),
    clamp_output: key.clampsOutput,
    auto_rotate: key.autoRotate,
    rotation_interval: key.rotationIntervalS,
    parent_id: key.parent?.keyId ?? null,
    parent_version: key.parent?.version ?? null,
    canary: key.isCanary,
    signing: key.signing === undefined ? null : { ...key.signing, secrets: of.secrets.map(renderVersion) },
    metadata: key.metadata ?? null,
    created_at: renderTime(key.createdAtMs),
    versions: of.versions.map((version) => ({
      ...renderVersion(version),
      rotation_id: version.rotationId ?? null,
    })),
  };
}

function renderBreaker({ breaker }: Key): Json {
  if (breaker === undefined) return null;
  return {
    state: breaker.state,
    rule_id: breaker.ruleId,
    since: renderTime(breaker.sinceMs),
    requests_per_minute: breaker.state === 'throttled' ? breaker.requestsPerMinute : null,
  };
}

function renderEstimate({ estimate }: Key): Json {
  if (estimate === undefined) return { policy: 'worst_case' };
  const { multiplePercent, floor } = estimate;
  return { policy: 'measured', multiple: multiplePercent / 100, floor_usd: formatUsd(floor) };
}

/** A version of a key, or of its signing secret. */
function renderVersion(version: CountedVersion | CountedSigningSecret) {
  return {
    id: version.id,
    version: version.version,
    display: version.display,
    created_at: renderTime(version.createdAtMs),
    expires_at: renderTime(version.expiresAtMs),
    uses: version.uses,
    last_used_at: renderTime(version.lastUsedAtMs),
  };
}

/** From the key outwards, and from the shortest period: always in the same order. */
export function renderBudgets(states: readonly BudgetState[]): Json {
  const place = ({ budget }: BudgetState) =>
    SCOPES.indexOf(budget.scope) * PERIODS.length + PERIODS.indexOf(budget.period);
  const window = ({ budget }: BudgetState) => budget.windowS ?? 0;
  return states
    .toSorted((a, b) => place(a) - place(b) || window(a) - window(b))
    .map((state) => renderBudget(state));
}

export function renderBudget({ budget, posted, held, remaining, resetsAtMs }: BudgetState): {
  readonly [name: string]: Json;
} {
  return {
    id: budget.id,
    scope: budget.scope,
    scope_id: budget.scopeId,
    period: budget.period,
    window_seconds: budget.windowS ?? null,
    time_zone: budget.timeZone,
    cap_usd: formatUsd(budget.cap),
    raise:
      budget.raise === undefined
        ? null
        : { cap_usd: formatUsd(budget.raise.cap), until: renderTime(budget.raise.untilMs) },
    alert_percents: budget.alertPercents,
    posted_usd: formatUsd(posted),
    held_usd: formatUsd(held),
    remaining_usd: formatUsd(remaining),
    resets_at: renderTime(resetsAtMs),
  };
}
