/** What the API shows of a credential: everything but its secret. */
import { type Credential, STREAM_POLICIES } from '../../credentials/credential.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { TargetHealth } from '../../upstream/target-health.ts';
import type { Json } from '../endpoint.ts';
import { limitsView, renderLimits } from '../limits.ts';
import { renderTime } from '../list-page.ts';
import { z } from '../schemas.ts';

export const credentialView = z
  .object({
    object: z.literal('credential'),
    id: z.string(),
    provider: z.string(),
    name: z.string(),
    base_url: z.string(),
    allow_networks: z.array(z.string()),
    models: z.array(z.string()).nullable(),
    weight: z.number(),
    limits: limitsView,
    /** How a stream that was cut off is charged. */
    stream_policy: z.enum(STREAM_POLICIES),
    /** As the process that answers sees it. */
    health: z.object({
      state: z.enum(['healthy', 'resting']),
      reason: z.string().nullable(),
      rests_for_seconds: z.number(),
    }),
    version: z.number(),
    previous_expires_at: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Credential');

interface Shown extends Credential {
  readonly previous?: { readonly untilMs: number } | undefined;
}

export interface ViewRooms {
  readonly health: TargetHealth;
  readonly clock: Clock;
}

export function renderCredential(rooms: ViewRooms, credential: Shown): { readonly [name: string]: Json } {
  const { previous } = credential;
  const { reason = null, restMs } = rooms.health.healthOf(credential.id);
  const isResting = restMs > 0;
  const hasPrevious = previous !== undefined && previous.untilMs > rooms.clock.nowMs();
  return {
    object: 'credential',
    id: credential.id,
    provider: credential.provider,
    name: credential.name,
    base_url: credential.baseUrl,
    allow_networks: credential.allowNetworks,
    models: credential.models ?? null,
    weight: credential.weight,
    limits: renderLimits(credential.limits),
    stream_policy: credential.streamPolicy,
    health: {
      state: isResting ? 'resting' : 'healthy',
      reason: isResting ? reason : null,
      rests_for_seconds: Math.ceil(restMs / 1_000),
    },
    version: credential.version,
    previous_expires_at: hasPrevious ? renderTime(previous.untilMs) : null,
    created_at: renderTime(credential.createdAtMs),
    updated_at: renderTime(credential.updatedAtMs),
  };
}
