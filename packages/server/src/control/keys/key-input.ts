/** What may be said of a key when it is created or changed. */
import {
  CONTROL_PERMISSIONS,
  DATA_PERMISSIONS,
  KEY_KINDS,
  SIGNING_ALGORITHMS,
  SIGNING_VERSIONS,
  ZERO_NANOS,
} from '@keyfold/protocol';
import { parseNetwork } from '../../access/network.ts';
import { EVERY_PERMISSION, type MeasuredEstimate } from '../../keys/key.ts';
import { limitsBody } from '../limits.ts';
import { NAME_CHARACTERS_MAX, name, time, usd, z } from '../schemas.ts';

const LIST_MAX = 100;
const METADATA_MAX = 50;
const RATE_MAX = 1_000_000_000;
const ROTATION_INTERVAL_S = { min: 60, max: 365 * 86_400, default: 86_400 };

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

const signing = z.strictObject({
  required: z.boolean().optional(),
  versions: z.array(z.enum(SIGNING_VERSIONS)).min(1).max(SIGNING_VERSIONS.length).optional(),
  algorithm: z.enum(SIGNING_ALGORITHMS).optional(),
  public_key: z.string().max(100).optional(),
});
/** What a key may say of itself at any time, and a child of itself when it is made. */
const described = {
  name: name.nullable().optional(),
  limits: limitsBody.optional(),
  budgets: budgets.optional(),
  models: z.array(modelPattern).min(1).max(LIST_MAX).nullable().optional(),
  networks: z.array(network).min(1).max(LIST_MAX).nullable().optional(),
  metadata: metadata.nullable().optional(),
};

/** Times what such calls have cost so far. */
const MULTIPLE_MAX = 100;
const HUNDREDTHS = 100;
/** How much a key's calls hold: the worst case, or a multiple of what such calls cost, and no less than a floor. */
const estimate = z.discriminatedUnion('policy', [
  z.strictObject({ policy: z.literal('worst_case') }),
  z.strictObject({
    policy: z.literal('measured'),
    multiple: z.number().min(1).max(MULTIPLE_MAX).refine(isInHundredths, 'has at most two decimals'),
    floor_usd: usd.optional(),
  }),
]);

const changeable = {
  ...described,
  rate_limit: z.int().min(1).max(RATE_MAX).optional(),
  not_before: time.nullable().optional(),
  expires_at: time.nullable().optional(),
  auto_rotate: z.boolean().optional(),
  rotation_interval: z.int().min(ROTATION_INTERVAL_S.min).max(ROTATION_INTERVAL_S.max).optional(),
  signing: signing.nullable().optional(),
  estimate: estimate.optional(),
  clamp_output: z.boolean().optional(),
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
    canary: z.boolean().default(false),
  })
  .refine(oneRate, ONE_RATE);

export const updateKeyBody = z
  .strictObject({
    ...changeable,
    permissions: z.array(permission).min(1).max(LIST_MAX).optional(),
    quarantined: z.boolean().optional(),
  })
  .refine(oneRate, ONE_RATE);

/** Seconds that a child key lives. */
const CHILD_LIFE_S = { min: 1, max: 86_400 };

export const childKeyBody = z
  .strictObject({
    ...described,
    permissions: z.array(permission).min(1).max(LIST_MAX).optional(),
    ttl_seconds: z.int().min(CHILD_LIFE_S.min).max(CHILD_LIFE_S.max).optional(),
    public_key: z.string().max(100).optional(),
  })
  .prefault({});

/** As the key keeps it; what was not said stays as it was. */
export function readEstimate(
  body: { readonly estimate?: z.infer<typeof estimate> | undefined },
  before: MeasuredEstimate | undefined,
): MeasuredEstimate | undefined {
  if (body.estimate === undefined) return before;
  if (body.estimate.policy === 'worst_case') return undefined;
  const { multiple, floor_usd: floor = ZERO_NANOS } = body.estimate;
  return { multiplePercent: Math.round(multiple * HUNDREDTHS), floor };
}

function isInHundredths(multiple: number): boolean {
  return Number((Math.round(multiple * HUNDREDTHS) / HUNDREDTHS).toFixed(2)) === multiple;
}

export type ChildKeyBody = z.infer<typeof childKeyBody>;
export type SigningInput = z.infer<typeof signing>;

export const ROTATION_INTERVAL_S_DEFAULT = ROTATION_INTERVAL_S.default;

export type CreateKeyBody = z.infer<typeof createKeyBody>;
export type UpdateKeyBody = z.infer<typeof updateKeyBody>;
