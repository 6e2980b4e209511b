/** Schemas that several endpoints share: money, times, names, lists. Unknown fields are refused everywhere. */
import { parseUsd } from '@keyfold/protocol';
import { z } from '@hono/zod-openapi';
import { Denial } from '../kernel/denial.ts';
import { PERIODS } from '../ledger/period.ts';
import { SCOPES } from '../ledger/budget.ts';

export { z };

export const NAME_CHARACTERS_MAX = 200;

/** A decimal amount of dollars, zero or more. Numbers are read by their shortest decimal text. */
export const usd = z
  .union([z.string(), z.number()])
  .transform((amount, context) => {
    const parsed = parseUsd(amount);
    if (parsed !== undefined && parsed >= 0n) return parsed;
    context.addIssue({
      code: 'custom',
      message: 'must be a decimal amount of dollars of at most nine decimals, zero or more',
    });
    return z.NEVER;
  })
  .openapi({ type: 'string', example: '12.50' });

/** A time in RFC 3339, as milliseconds. */
export const time = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .openapi({ type: 'string', format: 'date-time' });

export const name = z
  .string()
  .min(1)
  .max(NAME_CHARACTERS_MAX)
  // Control characters, lone surrogates and direction marks have no place in a name that people read in lists.
  .regex(/^[^\p{Cc}\p{Cs}\p{Cf}]*$/u, 'must not hold control characters');

export const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: z.string().max(100).optional(),
  before: z.string().max(100).optional(),
});

export const idParams = z.strictObject({ id: z.string().min(1).max(100) });

export const budgetView = z.object({
  id: z.string(),
  scope: z.enum(SCOPES),
  scope_id: z.string(),
  period: z.enum(PERIODS),
  /** Of a rolling budget. */
  window_seconds: z.number().nullable(),
  time_zone: z.string(),
  cap_usd: z.string(),
  /** Another cap for a while. */
  raise: z.object({ cap_usd: z.string(), until: z.string() }).nullable(),
  /** Shares of the cap at which an audit event and a metric tell, once in each period. */
  alert_percents: z.array(z.number()),
  posted_usd: z.string(),
  held_usd: z.string(),
  remaining_usd: z.string(),
  resets_at: z.string().nullable(),
});

/** A time range takes in its beginning and not its end. */
export function checkRange(range: {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}): Denial | undefined {
  if (range.from === undefined || range.to === undefined || range.from < range.to) return undefined;
  return new Denial('invalid_request', { message: "'from' must be before 'to'.", param: 'from' });
}

export function listOf(item: z.ZodType): z.ZodType {
  return z.object({
    object: z.literal('list'),
    data: z.array(item),
    has_more: z.boolean(),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
  });
}
