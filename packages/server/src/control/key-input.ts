/** What may be said of a key when it is created or changed. */
import { CONTROL_PERMISSIONS, DATA_PERMISSIONS, KEY_KINDS } from '@keyfold/protocol';
import { parseNetwork } from '../access/network.ts';
import { EVERY_PERMISSION } from '../keys/key.ts';
import { NAME_CHARACTERS_MAX, name, time, usd, z } from './schemas.ts';

const LIST_MAX = 100;
const METADATA_MAX = 50;
const RATE_MAX = 1_000_000_000;
const ROTATION_INTERVAL_S = { min: 60, max: 365 * 86_400, default: 86_400 };

const rate = z.int().min(1).max(RATE_MAX).nullable();
const limits = z.strictObject({
  requests_per_minute: rate.optional(),
  tokens_per_minute: rate.optional(),
  concurrent_requests: rate.optional(),
});
const budgets = z.strictObject({
  per_day_usd: usd.nullable().optional(),
  per_month_usd: usd.nullable().optional(),
  total_usd: usd.nullable().optional(),
});
const modelPattern = z
  .string()
  .min(1)
  .max(NAME_CHARACTERS_MAX)
  .regex(/^[^*\s]+\*?$|^\*$/, 'must be a model name, or a prefix that ends in *');
const network = z
  .string()
  .refine((text) => parseNetwork(text) !== undefined, 'must be a network such as 10.0.0.0/8');
const metadata = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine(
    (entries) => Object.keys(entries).length <= METADATA_MAX,
    `must have at most ${METADATA_MAX} entries`,
  );

const changeable = {
  name: name.nullable().optional(),
  rate_limit: z.int().min(1).max(RATE_MAX).optional(),
  limits: limits.optional(),
  budgets: budgets.optional(),
  models: z.array(modelPattern).min(1).max(LIST_MAX).nullable().optional(),
  networks: z.array(network).min(1).max(LIST_MAX).nullable().optional(),
  expires_at: time.nullable().optional(),
  auto_rotate: z.boolean().optional(),
  rotation_interval: z.int().min(ROTATION_INTERVAL_S.min).max(ROTATION_INTERVAL_S.max).optional(),
  metadata: metadata.nullable().optional(),
};

const permission = z.enum([...DATA_PERMISSIONS, ...CONTROL_PERMISSIONS, EVERY_PERMISSION]);
const oneRate = (body: { rate_limit?: unknown; limits?: { requests_per_minute?: unknown } | undefined }) =>
  body.rate_limit === undefined || body.limits?.requests_per_minute === undefined;
const ONE_RATE = {
  message: 'rate_limit and limits.requests_per_minute are the same limit: send one',
  path: ['rate_limit'],
};

export const createKeyBody = z
  .strictObject({
    ...changeable,
    permissions: z.array(permission).min(1).max(LIST_MAX),
    project_id: z.string().max(100).optional(),
    kind: z.enum(KEY_KINDS).default('live'),
  })
  .refine(oneRate, ONE_RATE);

export const updateKeyBody = z
  .strictObject({ ...changeable, permissions: z.array(permission).min(1).max(LIST_MAX).optional() })
  .refine(oneRate, ONE_RATE);

export const ROTATION_INTERVAL_S_DEFAULT = ROTATION_INTERVAL_S.default;

export type CreateKeyBody = z.infer<typeof createKeyBody>;
export type UpdateKeyBody = z.infer<typeof updateKeyBody>;
