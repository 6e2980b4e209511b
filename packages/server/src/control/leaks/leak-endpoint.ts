/** `POST /v1/leaks`, authenticated: somebody of the organization reports that a secret is known to others. */
import { Denial } from '../../kernel/denial.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { type LeakRooms, planContainment } from './contain-leak.ts';
import { type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { z } from '../schemas.ts';

export const LEAKS_PATH = '/v1/leaks';
const TEXT_CHARACTERS_MAX = 2_000;

export interface LeakEndpointRooms extends LeakRooms {
  readonly telemetry: Telemetry;
}

export function leakEndpoint(rooms: LeakEndpointRooms): Endpoint {
  return defineEndpoint({
    method: 'post',
    path: LEAKS_PATH,
    permission: 'leaks:write',
    tag: 'Leaks',
    summary: 'Report a leaked key or signing secret: it is contained at once, as the organization decided.',
    body: z.strictObject({
      secret: z.string().min(1).max(200),
      url: z.string().max(TEXT_CHARACTERS_MAX).optional(),
      note: z.string().max(TEXT_CHARACTERS_MAX).optional(),
    }),
    response: {
      status: 200,
      schema: z.object({
        object: z.literal('leak'),
        key_id: z.string(),
        kind: z.enum(['key', 'signing_secret']),
        version: z.number(),
        action: z.enum(['quarantined', 'rotated', 'revoked', 'none']),
      }),
    },
    handle: async ({ principal, body }) => {
      const contained = await planContainment(rooms, { ...body, source: 'api' });
      if (contained === undefined || contained.key.organizationId !== principal.key.organizationId) {
        return new Denial('not_found', {
          message: 'This is no secret of your organization.',
          param: 'secret',
        });
      }
      const { key, leaked, action, steps, event } = contained;
      return {
        steps,
        isAdditive: steps.length === 0,
        events: [event],
        reply: ok({ object: 'leak', key_id: key.id, ...leaked, action }),
        afterwards: () => rooms.telemetry.leakContained(action),
      };
    },
  });
}
