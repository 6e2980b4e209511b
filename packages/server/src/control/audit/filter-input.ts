/** The filters of searches and streams, read from a query string. */
import type { AuditAction } from '../../audit/audit-event.ts';
import { AUDIT_ACTIONS } from '../../audit/audit-event.ts';
import { type Place, parsePlace } from '../../audit/place.ts';
import { type AuditFilter, isNetwork } from '../../audit/search/filter.ts';
import { splitWords } from '../../audit/search/words.ts';
import { EVERY_PERMISSION, type Principal } from '../../keys/key.ts';
import { time, z } from '../schemas.ts';

const TYPES_MAX = 32;
const QUERY_CHARACTERS_MAX = 512;
const WORDS_MAX = 16;
const ID_CHARACTERS_MAX = 200;
/** A place names up to 64 nodes. */
const PLACE_CHARACTERS_MAX = 1_500;

const ACTIONS: ReadonlySet<string> = new Set<AuditAction>(AUDIT_ACTIONS);
const GROUPS: ReadonlySet<string> = new Set(
  AUDIT_ACTIONS.map((action) => `${action.slice(0, action.indexOf('.'))}.*`),
);

const types = z
  .string()
  .max(QUERY_CHARACTERS_MAX)
  .transform((text) => text.split(','))
  .refine((each) => each.length <= TYPES_MAX, `takes at most ${TYPES_MAX} types`)
  .refine(
    (each) => each.every((type) => ACTIONS.has(type) || GROUPS.has(type)),
    'must be types of events such as key.created, or groups of them such as key.*, separated by commas',
  )
  .openapi({ type: 'string', example: 'key.created,budget.*' });

/** Whole words: nothing in them is a wildcard or an operator. */
const words = z
  .string()
  .max(QUERY_CHARACTERS_MAX)
  .transform((text) => [...new Set(splitWords(text))])
  .refine((each) => each.length > 0, 'has no word to look for')
  .refine((each) => each.length <= WORDS_MAX, `takes at most ${WORDS_MAX} words`)
  .openapi({ type: 'string', example: 'gpt-4.1 budget_exhausted' });

const text = z.string().min(1).max(ID_CHARACTERS_MAX);

/** What both a search and a stream take. */
export const filterQuery = z.strictObject({
  type: types.optional(),
  actor: text.optional(),
  key_id: text.optional(),
  project_id: text.optional(),
  target: text.optional(),
  decision: z.enum(['allowed', 'denied']).optional(),
  request_id: text.optional(),
  network: text
    .refine(isNetwork, 'must be an address, or a network such as 203.0.113.0/24')
    .optional()
    .openapi({ example: '203.0.113.0/24' }),
  q: words.optional(),
});

export const periodQuery = { from: time.optional(), to: time.optional() };

export const place = z
  .string()
  .max(PLACE_CHARACTERS_MAX)
  .transform((given, context): Place => {
    const parsed = parsePlace(given);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: 'must be the id of an event, or the last_id of a page' });
    return z.NEVER;
  })
  .openapi({ type: 'string', example: '1-120' });

/** What a caller asks for, within what it may see. */
export function toFilter(
  { key }: Principal,
  query: z.infer<typeof filterQuery> & {
    readonly from?: number | undefined;
    readonly to?: number | undefined;
  },
): AuditFilter {
  return {
    organizationId: key.organizationId,
    withUnowned: key.permissions.includes(EVERY_PERMISSION),
    actions: query.type,
    actor: query.actor,
    key: query.key_id,
    project: query.project_id,
    target: query.target,
    decision: query.decision,
    requestId: query.request_id,
    network: query.network,
    fromMs: query.from,
    toMs: query.to,
    words: query.q,
  };
}
