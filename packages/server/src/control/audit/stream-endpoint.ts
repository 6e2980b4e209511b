/** `GET /v1/audit/stream`: audit records as server-sent events while they are written, from where a reader left off. */
import type { AuditFilter } from '../../audit/search/filter.ts';
import { type Place, parsePlace } from '../../audit/place.ts';
import { Denial } from '../../kernel/denial.ts';
import type { Authenticator } from '../../keys/authenticate.ts';
import type { KeyStore } from '../../keys/key-store.ts';
import type { Principal } from '../../keys/key.ts';
import { type Endpoint, type StreamedText, defineEndpoint } from '../endpoint.ts';
import { z } from '../schemas.ts';
import { filterQuery, place, toFilter } from './filter-input.ts';

export interface AuditStreamer {
  /** `undefined` where there is no room for another stream. Throws `Fault('unavailable')`. */
  follow(
    filter: AuditFilter,
    after: Place | undefined,
    signal: AbortSignal,
  ): AsyncIterable<string> | undefined;
}

export interface StreamRooms {
  readonly auditThread: AuditStreamer;
  readonly authenticator: Authenticator;
  readonly keys: KeyStore;
}

/** How long a stream may outlive what its key may do. */
const CHECK_EVERY_MS = 2_000;
const NO_LONGER_ALLOWED = 'event: dropped\ndata: {"reason":"the key was changed or has ended"}\n\n';

export function streamEndpoint(rooms: StreamRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/audit/stream',
    permission: 'audit:read',
    tag: 'Audit',
    summary:
      "Follow audit events as they are written (server-sent events); 'Last-Event-ID' resumes without a gap.",
    query: filterQuery.extend({ after: place.optional() }),
    response: { status: 200, contentType: 'text/event-stream', schema: z.string() },
    handle: async ({ principal, query, header }) => {
      const last = header('last-event-id');
      const after = last === undefined ? query.after : parsePlace(last);
      if (last !== undefined && after === undefined) {
        return new Denial('invalid_request', {
          message: 'Last-Event-ID is not the id of an event of a stream.',
        });
      }
      const ended = new AbortController();
      const events = rooms.auditThread.follow(toFilter(principal, query), after, ended.signal);
      if (events === undefined) {
        return new Denial('concurrency_exceeded', {
          message: 'Too many streams are open. Close one and retry.',
        });
      }
      const stream: StreamedText = {
        contentType: 'text/event-stream',
        pieces: (left) => {
          // Also where nobody ever asks for the first piece.
          left.addEventListener('abort', () => ended.abort());
          return followWhileAllowed(rooms, principal, { events, ended });
        },
      };
      return { status: 200, body: undefined, stream };
    },
  });
}

/** Ends when the key is changed, revoked, held or over: its owner comes back, and is judged anew. */
async function* followWhileAllowed(
  { authenticator, keys }: StreamRooms,
  principal: Principal,
  of: {
    readonly events: AsyncIterable<string>;
    readonly ended: AbortController;
  },
): AsyncGenerator<string> {
  const { events, ended } = of;
  let isAllowed = true;
  const refuse = () => {
    isAllowed = false;
    ended.abort();
  };
  const check = async () => {
    const found = await keys.find(principal.key.organizationId, principal.key.id);
    const isSame = found?.key.revision === principal.key.revision;
    if (!isSame || authenticator.checkLife(principal) instanceof Denial) refuse();
  };
  // Where it cannot be told whether the key may still read, it may not.
  const timer = setInterval(() => void check().catch(refuse), CHECK_EVERY_MS);
  try {
    yield* events;
    if (!isAllowed) yield NO_LONGER_ALLOWED;
  } finally {
    clearInterval(timer);
    ended.abort();
  }
}
