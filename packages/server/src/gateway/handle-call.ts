/** One model call from start to finish. It reads in the order in which things happen; ARCHITECTURE.md draws it. */
import { checkNetwork, checkPermission } from '../access/authorize.ts';
import type { RefusalSummary } from '../audit/refusal-summary.ts';
import type { AuditSinks } from '../audit/sinks/audit-sinks.ts';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import { type Principal, limitSubjectsOf } from '../keys/key.ts';
import type { Endpoint } from '../providers/provider.ts';
import type { Visitor } from '../signing/door.ts';
import type { ClientExchange } from './client-exchange.ts';
import { type CallPath, ENDPOINT_PERMISSIONS, parseCall } from './reading/parse-call.ts';
import { rateHeaders } from './answering/response-headers.ts';
import { type OnceRooms, serveOnce } from './repeating/serve-once.ts';
import { DOOR_RULES } from './serve-call.ts';

export interface GatewayRooms extends OnceRooms {
  readonly refusals: RefusalSummary;
  readonly sinks: Pick<AuditSinks, 'assertServing'>;
}

/** Serves one call. Never throws: whatever breaks is answered, and refuses. */
export async function handleCall(
  rooms: GatewayRooms,
  path: CallPath,
  exchange: ClientExchange,
): Promise<void> {
  try {
    // What no second place hears of any more is not served.
    rooms.sinks.assertServing();
    const visitor = await rooms.door.open(exchange.presented, DOOR_RULES);
    if (visitor instanceof Denial) return refuse(rooms, exchange, { denial: visitor });
    // A bearer key has proved itself: what it may never do is refused before the body is read.
    const isProved = visitor.signature === undefined;
    const forbidden = isProved ? checkBearer(visitor.principal, path.endpoint, exchange) : undefined;
    if (forbidden !== undefined) return refuse(rooms, exchange, { denial: forbidden, visitor });

    const body = await exchange.readBody(isProved);
    if (body instanceof Denial) {
      return refuse(rooms, exchange, { denial: body, visitor: isProved ? visitor : undefined });
    }
    const proved = await rooms.door.verify(visitor, body);
    if (proved instanceof Denial) {
      return refuse(rooms, exchange, { denial: proved, visitor: isProved ? visitor : undefined });
    }
    exchange.vouch();

    const { presented } = exchange;
    const contentType = presented.header('content-type');
    const call = parseCall(path, { body, query: presented.query, contentType });
    const refused =
      call instanceof Denial
        ? { denial: call, hasAttempts: false }
        : await serveOnce(rooms, call, { visitor: proved, exchange });
    if (refused !== undefined) {
      // A signed request is used up whatever becomes of it; that it was used before comes first.
      const replayed = refused.hasAttempts ? undefined : await rooms.door.use(proved);
      refuse(rooms, exchange, { denial: replayed ?? refused.denial, visitor });
    }
  } catch (error) {
    const fault =
      error instanceof Fault ? error : new Fault('internal', { internal: 'call failed', cause: error });
    rooms.telemetry.fault(fault, exchange.requestId);
    exchange.refuse(fault, {});
  }
}

function checkBearer(
  principal: Principal,
  endpoint: Endpoint,
  { address }: ClientExchange,
): Denial | undefined {
  return checkPermission(principal, ENDPOINT_PERMISSIONS[endpoint]) ?? checkNetwork(principal, address);
}

/** Answers a refusal at once and records it: by itself when a key vouches for the caller, else as part of a count. */
function refuse(
  rooms: GatewayRooms,
  exchange: ClientExchange,
  of: { readonly denial: Denial; readonly visitor?: Visitor | undefined },
): void {
  const { denial, visitor } = of;
  rooms.telemetry.refused(denial);
  if (visitor === undefined || denial.code === 'invalid_signature') {
    exchange.refuse(denial, {});
    rooms.refusals.count(denial, exchange);
    return;
  }
  const { principal } = visitor;
  exchange.refuse(denial, rateHeaders(rooms.limiter.peek(limitSubjectsOf(principal))));
  const recorded = rooms.audit.record({
    action: 'call.refused',
    actor: principal.key.id,
    target: denial.detail.param ?? 'call',
    decision: 'denied',
    requestId: exchange.requestId,
    address: exchange.address,
    organizationId: principal.key.organizationId,
    detail: {
      code: denial.code,
      ...(denial.detail.reason === undefined ? {} : { reason: denial.detail.reason }),
      ...denial.detail.facts,
    },
  });
  recorded.catch((error: unknown) => rooms.telemetry.auditLost(error, exchange.requestId));
}
