/** What making a key takes, for whoever asks: the key, its signing secret, its budgets, and what is said of them once. */
import type { Key, KeyLimits, KeyWithVersions } from '../../keys/key.ts';
import type { KeyIssuer, KeyRules } from '../../keys/issue-key.ts';
import type { CapInput, PlanRooms } from '../money/budget-plan.ts';
import { planBudgets } from '../money/budget-plan.ts';
import type { AuditDetail } from '../../audit/audit-event.ts';
import type { SigningSecrets } from '../../signing/signing-secrets.ts';
import type { Change, Json } from '../endpoint.ts';
import { mergeLimits } from '../limits.ts';
import type { ChildKeyBody, UpdateKeyBody } from './key-input.ts';
import { renderKey } from './key-view.ts';

export interface IssueRooms extends PlanRooms {
  readonly issuer: KeyIssuer;
  readonly signingSecrets: SigningSecrets;
}

const NEVER_USED = { uses: 0, lastUsedAtMs: undefined };

export async function issueKey(
  rooms: IssueRooms,
  of: {
    readonly rules: KeyRules;
    readonly publicKey: Buffer | undefined;
    readonly budgets: readonly CapInput[];
    readonly detail: AuditDetail;
  },
): Promise<Change> {
  const { key, version, secret, steps } = rooms.issuer.issue(of.rules);
  const signing =
    key.signing === undefined ? undefined : rooms.signingSecrets.issue(key, { publicKey: of.publicKey });
  const plan = await planBudgets(rooms, { ...keyScope(key), input: of.budgets });
  const view = renderKey(key, {
    versions: [{ ...version, ...NEVER_USED }],
    budgets: plan.states,
    secrets: signing === undefined ? [] : [{ ...signing.signingSecret, ...NEVER_USED }],
  });
  const shownOnce = {
    api_key: secret,
    ...(signing?.secret === undefined ? {} : { signing_secret: signing.secret }),
  };
  return {
    isAdditive: true,
    steps: [...steps, ...(signing?.steps ?? []), ...plan.steps],
    events: [{ action: 'key.created', target: key.id, detail: of.detail }, ...plan.events],
    reply: { status: 201, body: { ...shownOnce, ...view } },
  };
}

/** A key as it stands, with all that is known of it. */
export async function viewKey(rooms: IssueRooms, { key, versions }: KeyWithVersions): Promise<Json> {
  const budgets = await rooms.budgets.statesOf(await rooms.budgets.load([key.id]));
  return renderKey(key, { versions, budgets, secrets: await rooms.signingSecrets.list([key.id]) });
}

/** `rate_limit` is the article's name of the first limit. */
export function limitsOf(before: KeyLimits, body: UpdateKeyBody | ChildKeyBody): KeyLimits {
  const limits = mergeLimits(before, body.limits);
  const rateLimit = 'rate_limit' in body ? body.rate_limit : undefined;
  return rateLimit === undefined ? limits : { ...limits, requestsPerMinute: rateLimit };
}

/** A key as a scope of budgets. */
export function keyScope(key: Key) {
  const within = [key.organizationId, key.projectId, ...(key.parent === undefined ? [] : [key.parent.keyId])];
  return { scope: 'key', scopeId: key.id, owner: key, within } as const;
}

export function budgetInput({ budgets = {} }: UpdateKeyBody | ChildKeyBody): CapInput[] {
  const { per_day_usd: day, per_month_usd: month, total_usd: total } = budgets;
  return [
    ...(day === undefined ? [] : [{ period: 'day', cap: day } as const]),
    ...(month === undefined ? [] : [{ period: 'month', cap: month } as const]),
    ...(total === undefined ? [] : [{ period: 'total', cap: total } as const]),
  ];
}
