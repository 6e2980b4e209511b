/**
 * Serves a call once for its Idempotency-Key: the first request is served and its answer kept, a repeat is given that
 * answer and spends nothing. A call without the header is served as it is. docs/idempotency.md says what is promised.
 */
import { checkNetwork, checkPermission } from '../../access/authorize.ts';
import { fingerprintCall } from '../../idempotency/call-fingerprint.ts';
import { readIdempotencyKey } from '../../idempotency/idempotency-key.ts';
import type { Found, IdempotentCalls } from '../../idempotency/idempotent-calls.ts';
import type { KeptAnswer } from '../../idempotency/kept-answer.ts';
import type { NamedCall } from '../../idempotency/served-call.ts';
import { Denial } from '../../kernel/denial.ts';
import { Fault } from '../../kernel/fault.ts';
import { keysOf } from '../../keys/key.ts';
import type { RowMac } from '../../sealing/row-mac.ts';
import type { Proved } from '../../signing/door.ts';
import { replayHeaders } from '../answering/response-headers.ts';
import { ENDPOINT_PERMISSIONS } from '../reading/parse-call.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import { type CallBy, DOOR_RULES, type Refused, type ServeRooms, serveCall } from '../serve-call.ts';

export interface OnceRooms extends ServeRooms {
  readonly idempotentCalls: IdempotentCalls;
  readonly mac: RowMac;
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
  if (found.kind === 'kept') return replay(rooms, found.answer, { ...by, visitor });
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
    const { id: keyId, organizationId } = principal.key;
    const named = { organizationId, keyId, idempotencyKey: by.key, fingerprint };
    const { found, revision } = await rooms.idempotentCalls.find(named);
    if (revision === principal.organizationRevision) return { named, visitor, found };
    rooms.door.forget();
    const again = await rooms.door.again(visitor, DOOR_RULES);
    if (again instanceof Denial) return again;
    visitor = again;
  }
  throw new Fault('unavailable', { internal: 'the key kept changing while the call was looked up' });
}

/** An answer is an answer: what is signed is used up for it. Limits and budgets are not asked, since nothing is spent. */
async function replay(
  rooms: OnceRooms,
  answer: KeptAnswer,
  { visitor, exchange }: Omit<CallBy, 'served'>,
): Promise<Refused | undefined> {
  const used = await rooms.door.use(visitor);
  if (used !== undefined) return { denial: used, hasAttempts: true };
  const { principal } = visitor;
  const state = rooms.limiter.peek(keysOf(principal));
  exchange.respond(answer.status, replayHeaders(answer, { keyId: principal.key.id, state }), answer.body);
  rooms.telemetry.replayed();
  return undefined;
}

function refused(denial: Denial): Refused {
  return { denial, hasAttempts: false };
}
