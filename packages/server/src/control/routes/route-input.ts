/** What may be said of a route, and whether its targets are ones that there can be. */
import type { Id } from '@keyfold/protocol';
import type { SealedCredential } from '../../credentials/credential-store.ts';
import { Denial } from '../../kernel/denial.ts';
import { DEFAULT_RETRY, type RetryRules, type RouteTarget } from '../../routing/route.ts';
import { SANDBOX, VENDORS } from '../../routing/vendors.ts';
import { z } from '../schemas.ts';

const TARGETS_MAX = 32;
const WEIGHT_MAX = 1_000;
const PRIORITY_MAX = 100;
const ATTEMPTS_MAX = 10;
const TIMEOUT_MS = { min: 1, max: 600_000 };

/** No slash: what has one is `provider/model`. */
const routeName = z
  .string()
  .regex(/^[A-Za-z0-9._:@+-]{1,100}$/, 'must be 1 to 100 of the characters A-Z a-z 0-9 . _ : @ + -');
const target = z.strictObject({
  model: z.string().min(3).max(256).openapi({ example: 'openai/gpt-4.1' }),
  credential_id: z.string().max(100).optional(),
  weight: z.int().min(1).max(WEIGHT_MAX).default(1),
  priority: z.int().min(0).max(PRIORITY_MAX).default(0),
});
const timeoutMs = z.int().min(TIMEOUT_MS.min).max(TIMEOUT_MS.max).nullable().optional();
const retry = z.strictObject({
  attempts_max: z.int().min(1).max(ATTEMPTS_MAX).default(DEFAULT_RETRY.attemptsMax),
  first_token_timeout_ms: timeoutMs,
  answer_timeout_ms: timeoutMs,
});

export const createRouteBody = z.strictObject({
  name: routeName,
  targets: z.array(target).min(1).max(TARGETS_MAX),
  retry: retry.optional(),
});

export const updateRouteBody = z.strictObject({
  name: routeName.optional(),
  targets: z.array(target).min(1).max(TARGETS_MAX).optional(),
  retry: retry.optional(),
});

export type CreateRouteBody = z.infer<typeof createRouteBody>;
export type UpdateRouteBody = z.infer<typeof updateRouteBody>;

/** Refused where a target names no provider, or a credential that is not there or is another provider's. */
export function readTargets(
  targets: CreateRouteBody['targets'],
  credentials: readonly SealedCredential[],
): RouteTarget[] | Denial {
  const read: RouteTarget[] = [];
  for (const [index, wanted] of targets.entries()) {
    const at = `targets.${index}`;
    const provider = wanted.model.slice(0, Math.max(0, wanted.model.indexOf('/')));
    if (provider !== SANDBOX && !VENDORS.has(provider)) {
      return refuse(`${at}.model`, "must be 'provider/model', such as openai/gpt-4.1");
    }
    const credential = credentials.find(({ id }) => id === wanted.credential_id);
    if (wanted.credential_id !== undefined && credential?.provider !== provider) {
      return refuse(`${at}.credential_id`, `must be the id of a credential of provider '${provider}'`);
    }
    read.push({
      model: wanted.model,
      credentialId: wanted.credential_id as Id<'credential'> | undefined,
      weight: wanted.weight,
      priority: wanted.priority,
    });
  }
  return read;
}

export function readRetry(body: z.infer<typeof retry> | undefined): RetryRules {
  if (body === undefined) return DEFAULT_RETRY;
  return {
    attemptsMax: body.attempts_max,
    firstTokenTimeoutMs: body.first_token_timeout_ms ?? undefined,
    answerTimeoutMs: body.answer_timeout_ms ?? undefined,
  };
}

function refuse(param: string, what: string): Denial {
  return new Denial('invalid_request', { param, message: `'${param}' ${what}.` });
}
