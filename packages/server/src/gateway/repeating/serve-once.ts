/**
 * Serves a call once for its Idempotency-Key: the first request is served and its answer kept, a repeat is given that
 * answer and spends nothing. A call without the header is served as it is. docs/idempotency.md says what is promised.
 */
import { checkModel, checkNetwork, checkPermission } from '../../access/authorize.ts';
import type { AuditLog } from '../../audit/audit-log.ts';
import { fingerprintCall } from '../../idempotency/call-fingerprint.ts';
import { readIdempotencyKey } from '../../idempotency/idempotency-key.ts';
import type { Found, IdempotentCalls } from '../../idempotency/idempotent-calls.ts';
import type { NamedCall } from '../../idempotency/served-call.ts';
import { Denial } from '../../kernel/denial.ts';
import { Fault } from '../../kernel/fault.ts';
import { limitSubjectsOf } from '../../keys/key.ts';
import type { LimitState } from '../../limits/limiter.ts';
import type { RowMac } from '../../sealing/row-mac.ts';
import type { Proved } from '../../signing/door.ts';
import { replayHeaders } from '../answering/response-headers.ts';
import { ENDPOINT_PERMISSIONS } from '../reading/parse-call.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import { type CallBy, DOOR_RULES, type Refused, type ServeRooms, serveCall } from '../serve-call.ts';

export interface OnceRooms extends ServeRooms {
  readonly idempotentCalls: IdempotentCalls;
  readonly mac: RowMac;
  readonly audit: AuditLog;
}

/** How often it is asked anew who calls, because keys changed meanwhile. */
const ROUNDS_MAX = 10;

/** As `serveCall`. */
export async function serveOnce(
  rooms: OnceRooms,
  call: ParsedCall,
  by: Omit<CallBy, 'served'>,
): Promise<Refused | undefined> {
  const key = readIdempotencyKey(by.exchange.presented.header('idempotency-key'));
  if (key === undefined) return serveCall(rooms, call, by);
  if (key instanceof Denial) return refused(key);
  const looked = await lookUp(rooms, call, { ...by, key });
  if (looked instanceof Denial) return refused(looked);
  const { named, visitor, found } = looked;
  if (found instanceof Denial) return refused(found);
  if (found.kind === 'kept') {
    return replay(rooms, call, { ...by, visitor, named, reservationId: found.reservationId });
  }
  const full = await rooms.idempotentCalls.checkRoom(named);
  if (full !== undefined) return refused(full);
  const served = rooms.idempotentCalls.begin(named, found.owner);
  if (served instanceof Denial) return refused(served);
  try {
    return await serveCall(rooms, call, { ...by, visitor, served });
  } finally {
    served.end();
  }
}

interface Looked {
  readonly named: NamedCall;
  readonly visitor: Proved;
  readonly found: Found;
}

/** What is known of the call, to somebody who may make it at that very moment. */
async function lookUp(
  rooms: OnceRooms,
  call: ParsedCall,
  by: Omit<CallBy, 'served'> & { readonly key: string },
): Promise<Looked | Denial> {
  const { presented, address } = by.exchange;
  const { path, query } = presented;
  const fingerprint = fingerprintCall(rooms.mac, { path, query, body: call.body, form: call.form });
  let { visitor } = by;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { principal } = visitor;
    const excluded =
      checkPermission(principal, ENDPOINT_PERMISSIONS[call.endpoint]) ?? checkNetwork(principal, address);
    if (excluded !== undefined) return excluded;
    const { id: keyId, organizationId, kind } = principal.key;
    // What a client calls its intentions may say what they are: only an HMAC of it is stored.
    const idempotencyKey = rooms.mac.sign('idempotency-key', [keyId, by.key]);
    const named = { organizationId, keyId, isTest: kind === 'test', idempotencyKey, fingerprint };
    const { found, revision } = await rooms.idempotentCalls.find(named);
    if (revision === principal.organizationRevision) return { named, visitor, found };
    rooms.door.forget();
    const again = await rooms.door.again(visitor, DOOR_RULES);
    if (again instanceof Denial) return again;
    visitor = again;
  }
  throw new Fault('unavailable', { internal: 'the key kept changing while the call was looked up' });
}

interface ReplayBy extends Omit<CallBy, 'served'> {
  readonly named: NamedCall;
  readonly reservationId: string;
}

/** Nothing is spent, so budgets are not asked; but reading and sending an answer is work, so the key's limits are. */
async function replay(rooms: OnceRooms, call: ParsedCall, by: ReplayBy): Promise<Refused | undefined> {
  const admission = await rooms.limiter.admit(limitSubjectsOf(by.visitor.principal), 0);
  if (admission instanceof Denial) return refused(admission);
  let isGiven = false;
  try {
    const refusal = await giveAgain(rooms, call, { ...by, state: admission.state });
    isGiven = refusal === undefined;
    return refusal;
  } finally {
    if (isGiven) admission.finish(0);
    else admission.cancel();
  }
}

/** An answer is an answer: what is signed is used up for it, and it is recorded, or not given. */
async function giveAgain(
  rooms: OnceRooms,
  call: ParsedCall,
  { visitor, exchange, named, reservationId, state }: ReplayBy & { readonly state: LimitState },
): Promise<Refused | undefined> {
  const used = await rooms.door.use(visitor);
  if (used !== undefined) return { denial: used, hasAttempts: true };
  const answer = await rooms.idempotentCalls.open(named, reservationId);
  if (answer instanceof Denial) return { denial: answer, hasAttempts: true };
  const { principal } = visitor;
  const { provider, model } = answer;
  // The key may have been narrowed since, and a route may have chosen the model.
  const excluded = checkModel(principal, [call.model, `${provider}/${model}`, model]);
  if (excluded !== undefined) return { denial: excluded, hasAttempts: true };
  const { id: keyId, organizationId } = principal.key;
  const { requestId } = exchange;
  const event = { actor: keyId, target: answer.requestId, requestId, organizationId } as const;
  await rooms.audit.record(
    { ...event, action: 'call.replayed', decision: 'allowed', detail: { provider, model } },
    'now',
  );
  exchange.respond(answer.status, replayHeaders(answer, { keyId, state }), answer.body);
  rooms.telemetry.replayed();
  return undefined;
}

function refused(denial: Denial): Refused {
  return { denial, hasAttempts: false };
}
