/** Lifts what an alert rule has done to a key. */
import { describeBreaker } from '../../alerts/break-key.ts';
import type { FiringStore } from '../../alerts/firing-store.ts';
import { Denial } from '../../kernel/denial.ts';
import type { KeyStore } from '../../keys/key-store.ts';
import { type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { idParams } from '../schemas.ts';
import { type IssueRooms, viewKey } from './issue-key.ts';
import { keyView } from './key-view.ts';

export interface ResumeRooms extends IssueRooms {
  readonly keys: KeyStore;
  readonly firings: FiringStore;
}

export function resumeEndpoint(rooms: ResumeRooms): Endpoint {
  return defineEndpoint({
    method: 'post',
    path: '/v1/keys/{id}/resume',
    permission: 'keys:write',
    tag: 'Keys',
    summary: 'Let a key go on that an alert rule has suspended or throttled. The rule counts anew.',
    params: idParams,
    response: { status: 200, schema: keyView },
    handle: async ({ principal, params }) => {
      const found = await rooms.keys.find(principal.key.organizationId, params.id);
      if (found === undefined) return new Denial('not_found');
      const { breaker } = found.key;
      if (breaker === undefined)
        return new Denial('conflict', { message: 'No alert rule has suspended or throttled this key.' });
      const key = { ...found.key, breaker: undefined };
      return {
        steps: [rooms.keys.updateStep(key), rooms.firings.clearStep(key.id, rooms.clock.nowMs())],
        events: [
          {
            action: 'key.resumed',
            target: key.id,
            detail: { before: describeBreaker(breaker), after: describeBreaker(undefined) },
          },
        ],
        reply: ok(await viewKey(rooms, { ...found, key })),
      };
    },
  });
}
