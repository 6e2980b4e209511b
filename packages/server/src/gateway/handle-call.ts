/** One model call from start to finish. It reads in the order in which things happen; ARCHITECTURE.md draws it. */
import { checkNetwork, checkPermission } from '../access/authorize.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { RefusalSummary } from '../audit/refusal-summary.ts';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import type { Authenticator } from '../keys/authenticate.ts';
import type { Principal } from '../keys/key.ts';
import { STALE } from '../ledger/ledger.ts';
import type { Endpoint } from '../providers/provider.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ClientExchange } from './client-exchange.ts';
import { type Decision, type DecisionRooms, decideCall } from './decide.ts';
import { type Dispatcher, runCall } from './run-call.ts';
import { ENDPOINT_PERMISSIONS, type ParsedCall, parseCall } from './parse-call.ts';
import { rateHeaders } from './response-headers.ts';

export interface GatewayRooms extends DecisionRooms {
  readonly authenticator: Authenticator;
  readonly audit: AuditLog;
  readonly refusals: RefusalSummary;
  readonly dispatcher: Dispatcher;
  readonly telemetry: Telemetry;
}

/** How often a decision is taken anew because keys or budgets changed under it. */
const DECISIONS_MAX = 5;

/** Serves one call. Never throws: whatever breaks is answered, and refuses. */
export async function handleCall(
  rooms: GatewayRooms,
  endpoint: Endpoint,
  exchange: ClientExchange,
): Promise<void> {
  let principal: Principal | undefined;
  try {
    // The key is judged from the headers alone, before the body is read.
    const authenticated = await rooms.authenticator.authenticate(exchange.secret);
    if (authenticated instanceof Denial) return refuse(rooms, exchange, { denial: authenticated });
    principal = authenticated;
    const forbidden =
      checkPermission(principal.key, ENDPOINT_PERMISSIONS[endpoint]) ??
      checkNetwork(principal.key, exchange.address);
    if (forbidden !== undefined) return refuse(rooms, exchange, { denial: forbidden, principal });

    const body = await exchange.readBody();
    if (body instanceof Denial) return refuse(rooms, exchange, { denial: body, principal });
    const call = parseCall(endpoint, body);
    if (call instanceof Denial) return refuse(rooms, exchange, { denial: call, principal });

    const decision = await decide(rooms, call, { principal, exchange });
    if (decision instanceof Denial) return refuse(rooms, exchange, { denial: decision, principal });
    await runCall(rooms, { call, decision, exchange });
  } catch (error) {
    const fault =
      error instanceof Fault ? error : new Fault('internal', { internal: 'call failed', cause: error });
    rooms.telemetry.fault(fault, exchange.requestId);
    exchange.refuse(fault, {});
  }
}

async function decide(
  rooms: GatewayRooms,
  call: ParsedCall,
  by: { readonly principal: Principal; readonly exchange: ClientExchange },
): Promise<Decision | Denial> {
  let { principal } = by;
  for (let round = 0; round < DECISIONS_MAX; round++) {
    const { requestId, address } = by.exchange;
    const decision = await decideCall(rooms, call, { principal, requestId, address });
    if (decision !== STALE) return decision;
    rooms.authenticator.forget();
    const again = await rooms.authenticator.authenticate(by.exchange.secret);
    if (again instanceof Denial) return again;
    principal = again;
  }
  throw new Fault('unavailable', { internal: 'the key kept changing while the call was decided' });
}

/** Answers a refusal at once and records it: by itself when a key vouches for the caller, else as part of a count. */
function refuse(
  rooms: GatewayRooms,
  exchange: ClientExchange,
  of: { readonly denial: Denial; readonly principal?: Principal },
): void {
  const { denial, principal } = of;
  rooms.telemetry.refused(denial);
  const limits =
    principal === undefined ? undefined : rooms.limiter.peek(principal.key.id, principal.key.limits);
  exchange.refuse(denial, limits === undefined ? {} : rateHeaders(limits));
  if (principal === undefined) {
    rooms.refusals.count(denial.code);
    return;
  }
  const recorded = rooms.audit.record({
    action: 'call.refused',
    actor: principal.key.id,
    target: denial.detail.param ?? 'call',
    decision: 'denied',
    requestId: exchange.requestId,
    organizationId: principal.key.organizationId,
    detail: {
      code: denial.code,
      ...(denial.detail.reason === undefined ? {} : { reason: denial.detail.reason }),
      ...denial.detail.facts,
    },
  });
  recorded.catch((error: unknown) => rooms.telemetry.auditLost(error, exchange.requestId));
}
