/** `GET /v1/usage`: what was used and what it cost, summed by key, project, model, provider, credential or time; JSON or CSV. */
import { formatUsd } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import type { Principal } from '../../keys/key.ts';
import {
  type CallFilter,
  type LedgerReports,
  USAGE_GROUPS,
  type UsageGroup,
  type UsageSum,
} from '../../ledger/reports.ts';
import { TOKEN_CLASSES, mapTokens } from '../../ledger/token-classes.ts';
import { renderCsv } from './csv.ts';
import { type Endpoint, type Reply, defineEndpoint, ok } from '../endpoint.ts';
import { checkRange, listOf, time, z } from '../schemas.ts';

export interface UsageRooms {
  readonly reports: LedgerReports;
}

const groupList = z
  .string()
  .max(100)
  .transform((text, context): UsageGroup[] => {
    const names = text.split(',');
    const groups = names.flatMap((name) => USAGE_GROUPS.find((group) => group === name) ?? []);
    if (groups.length === names.length && new Set(groups).size === groups.length) return groups;
    context.addIssue({
      code: 'custom',
      message: `must be a list of ${USAGE_GROUPS.join(', ')}, separated by commas, each at most once`,
    });
    return z.NEVER;
  })
  .openapi({ type: 'string', example: 'key,day' });

const usageQuery = z.strictObject({
  group_by: groupList.optional(),
  from: time.optional(),
  to: time.optional(),
  key_id: z.string().max(100).optional(),
  project_id: z.string().max(100).optional(),
  model: z.string().max(300).optional(),
  provider: z.string().max(100).optional(),
  credential_id: z.string().max(100).optional(),
  format: z.enum(['json', 'csv']).default('json'),
});

const usageView = z
  .object({
    key_id: z.string().optional(),
    project_id: z.string().optional(),
    model: z.string().optional(),
    provider: z.string().optional(),
    credential_id: z.string().optional(),
    hour: z.string().optional(),
    day: z.string().optional(),
    month: z.string().optional(),
    calls: z.number(),
    ...mapTokens(() => z.number()),
    cost_usd: z.string(),
  })
  .openapi('Usage');

export function usageEndpoint(rooms: UsageRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/usage',
    permission: 'usage:read',
    tag: 'Usage',
    summary: 'Sums of calls, tokens and cost, latest first; `format=csv` for a spreadsheet. Times are UTC.',
    query: usageQuery,
    response: { status: 200, schema: listOf(usageView) },
    handle: ({ principal, query }) => reportUsage(rooms, principal, query),
  });
}

async function reportUsage(
  rooms: UsageRooms,
  principal: Principal,
  query: z.infer<typeof usageQuery>,
): Promise<Reply | Denial> {
  const wrong = checkRange(query);
  if (wrong !== undefined) return wrong;
  const filter: CallFilter = {
    organizationId: principal.key.organizationId,
    keyId: query.key_id,
    projectId: query.project_id,
    model: query.model,
    provider: query.provider,
    credentialId: query.credential_id,
    fromMs: query.from,
    toMs: query.to,
  };
  const groups = query.group_by ?? [];
  const sums = await rooms.reports.sumUsage(filter, groups);
  if (sums instanceof Denial) return sums;
  const order = orderOf(groups);
  const rows = sums.toSorted((a, b) => compare(order, a, b)).map((sum) => renderSum(sum, groups));
  if (query.format === 'json') {
    return ok({ object: 'list', data: rows, has_more: false, first_id: null, last_id: null });
  }
  const columns = [...groups.map((group) => COLUMN_OF[group]), ...MEASURES];
  const cells = rows.map((row) => columns.map((column) => String(row[column])));
  const content = renderCsv(columns, cells);
  return { status: 200, body: undefined, text: { contentType: 'text/csv; charset=utf-8', content } };
}

const COLUMN_OF: Readonly<Record<UsageGroup, string>> = {
  key: 'key_id',
  project: 'project_id',
  model: 'model',
  provider: 'provider',
  credential: 'credential_id',
  hour: 'hour',
  day: 'day',
  month: 'month',
};
const TIMES: readonly UsageGroup[] = ['hour', 'day', 'month'];
const MEASURES = ['calls', ...TOKEN_CLASSES, 'cost_usd'] as const;

function renderSum(sum: UsageSum, groups: readonly UsageGroup[]): Record<string, string | number> {
  return {
    ...Object.fromEntries(groups.map((group) => [COLUMN_OF[group], sum.group[group] ?? ''])),
    calls: Number(sum.calls),
    ...mapTokens((each) => Number(sum.tokens[each])),
    cost_usd: formatUsd(sum.cost),
  };
}

interface Order {
  readonly group: UsageGroup;
  readonly sign: 1 | -1;
}

/** Latest time first, then by name. */
function orderOf(groups: readonly UsageGroup[]): readonly Order[] {
  const isTime = (group: UsageGroup) => TIMES.includes(group);
  return [
    ...groups.filter((group) => isTime(group)).map((group) => ({ group, sign: -1 }) as const),
    ...groups.filter((group) => !isTime(group)).map((group) => ({ group, sign: 1 }) as const),
  ];
}

function compare(order: readonly Order[], a: UsageSum, b: UsageSum): number {
  for (const { group, sign } of order) {
    const [left, right] = [a.group[group] ?? '', b.group[group] ?? ''];
    if (left !== right) return left < right ? -sign : sign;
  }
  return 0;
}
