/** Serves the management API: one path for every endpoint from authentication to the recorded change. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { OpenAPIHono as App } from '@hono/zod-openapi';
import { checkNetwork, checkPermission } from '../access/authorize.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { RefusalSummary } from '../audit/refusal-summary.ts';
import { readIdempotencyKey } from '../idempotency/idempotency-key.ts';
import { Denial } from '../kernel/denial.ts';
import {
  type RenderedError,
  renderInvalidKey,
  renderOpenAiError,
  renderProblem,
} from '../kernel/error-bodies.ts';
import { Fault } from '../kernel/fault.ts';
import { JsonRefusal, parseJsonObject } from '../kernel/json-scan.ts';
import type { Principal } from '../keys/key.ts';
import type { Database } from '../storage/database.ts';
import type { Door, Proved, Visitor } from '../signing/door.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type ChangeApplier, type IdempotentRequest, STALE } from './apply-change.ts';
import type { Change, ControlBindings, Endpoint, Json, Reply, StreamedText } from './endpoint.ts';
import { describeEndpoint } from './openapi.ts';

export interface ControlRooms {
  readonly door: Door;
  readonly applier: ChangeApplier;
  readonly audit: AuditLog;
  readonly refusals: RefusalSummary;
  readonly database: Database;
  readonly telemetry: Telemetry;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

export type ControlApp = OpenAPIHono<{ Bindings: ControlBindings }>;
type ControlContext = Context<{ Bindings: ControlBindings }>;

/** `first` may add handlers that come before the endpoints. */
export function createControlApp(
  rooms: ControlRooms,
  endpoints: readonly Endpoint[],
  first?: (app: ControlApp) => void,
): ControlApp {
  const app: ControlApp = new App<{ Bindings: ControlBindings }>();
  first?.(app);
  for (const endpoint of endpoints) {
    describeEndpoint(app, endpoint);
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1').replaceAll(/\{\+(\w+)\}/g, ':$1{.+}');
    app.on(endpoint.method.toUpperCase(), path, (context) => serve(rooms, endpoint, context));
  }
  app.notFound((context) => {
    const refused = refuseUnrouted(app, context);
    rooms.refusals.count(refused.denial, context.env);
    return refused.response;
  });
  return app;
}

/** No endpoint has this path and method; where others have the path, they are named. */
function refuseUnrouted(
  app: ControlApp,
  context: ControlContext,
): { readonly denial: Denial; readonly response: Response } {
  const { requestId } = context.env;
  const methods = METHODS.filter((method) => app.router.match(method, context.req.path)[0].length > 0);
  if (methods.length === 0) {
    const denial = new Denial('not_found', { message: 'There is no such path.' });
    return { denial, response: toResponse(renderProblem(denial, requestId), requestId) };
  }
  const allow = methods.join(', ');
  const denial = new Denial('method_not_allowed', { message: `Use ${allow}.` });
  const rendered = renderProblem(denial, requestId);
  const response = toResponse({ ...rendered, headers: { ...rendered.headers, allow } }, requestId);
  return { denial, response };
}

/** One request on its way through; `principal` is who it is proved to come from. */
interface Visit {
  readonly endpoint: Endpoint;
  readonly context: ControlContext;
  principal: Principal | undefined;
}

/** How often a request is decided anew because its key was changed meanwhile. */
const ROUNDS_MAX = 5;

async function serve(rooms: ControlRooms, endpoint: Endpoint, context: ControlContext): Promise<Response> {
  const { requestId } = context.env;
  const visit: Visit = { endpoint, context, principal: undefined };
  try {
    const answer = await answerTo(rooms, visit);
    return answer instanceof Denial ? refuse(rooms, visit, answer) : reply(answer, requestId);
  } catch (error) {
    const fault =
      error instanceof Fault ? error : new Fault('internal', { internal: 'endpoint failed', cause: error });
    rooms.telemetry.fault(fault, requestId);
    return toResponse(renderRefusal(endpoint, fault, requestId), requestId);
  }
}

async function answerTo(rooms: ControlRooms, visit: Visit): Promise<Reply | Denial> {
  const { endpoint, context } = visit;
  const { requestId } = context.env;
  const rules = { acceptsVersion1: endpoint.acceptsVersion1 === true };
  const visitor = await rooms.door.open(context.env.presented, rules);
  if (visitor instanceof Denial) return visitor;
  // A bearer key is judged from the head alone, before the body is read; and again after, since that may take a minute.
  if (visitor.signature === undefined) {
    const early = admit(visit, visitor);
    if (early !== undefined) return early;
  }
  const bytes = await context.env.readBody(visitor.signature === undefined);
  if (bytes instanceof Denial) return bytes;
  let proved = await prove(rooms, visitor, bytes);
  if (proved instanceof Denial) return proved;
  context.env.vouch();
  const input = readInput(rooms, visit, bytes);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    proved = await rooms.door.again(proved, rules);
    if (proved instanceof Denial) return proved;
    const refused = admit(visit, proved);
    if (refused !== undefined) return refused;
    if (input instanceof Denial) return input;
    const { principal } = proved;
    const { idempotent } = input;
    const replay = async () => idempotent && rooms.applier.replay(principal, idempotent);
    const first = await replay();
    if (first !== undefined) return first;
    // What was submitted before this request is on disk before it reads: an answer never lags behind a finished call.
    await rooms.database.barrier();
    const header = (name: string) => context.env.presented.header(name);
    const result = await endpoint.handle({ principal, requestId, header, ...input });
    // Refused because its twin came first in the meantime: then it has the answer of that.
    if (result instanceof Denial) return (await replay()) ?? result;
    if (!isChange(result)) return result;
    const applied = await rooms.applier.apply(result, {
      principal,
      requestId,
      address: context.env.address,
      idempotent,
    });
    if (applied !== STALE) return applied;
    rooms.door.forget();
  }
  return new Denial('conflict', { message: 'The key of this request kept changing. Try again.' });
}

/** What is signed is verified over the body as it arrived, and used up before anything else is said about it. */
async function prove(rooms: ControlRooms, visitor: Visitor, body: Buffer): Promise<Proved | Denial> {
  const proved = await rooms.door.verify(visitor, body);
  return proved instanceof Denial ? proved : ((await rooms.door.use(proved)) ?? proved);
}

/** May they: from an allowed network, with the endpoint's permission. */
function admit(visit: Visit, { principal }: Visitor): Denial | undefined {
  const { endpoint, context } = visit;
  visit.principal = principal;
  return (
    checkNetwork(principal, context.env.address) ??
    (endpoint.permission === undefined ? undefined : checkPermission(principal, endpoint.permission))
  );
}

function readInput({ applier }: ControlRooms, { endpoint, context }: Visit, bytes: Buffer) {
  const params = check(endpoint.params, context.req.param());
  if (params instanceof Denial) return params;
  const query = check(endpoint.query, context.req.query());
  if (query instanceof Denial) return query;
  const raw = bytes.length === 0 ? {} : parseJsonObject(bytes);
  if (raw instanceof JsonRefusal) {
    return new Denial('invalid_request', {
      message: `The body is not an acceptable JSON object: ${raw.reason.replaceAll('_', ' ')}.`,
    });
  }
  const body = endpoint.body === undefined && bytes.length > 0 ? unexpectedBody() : check(endpoint.body, raw);
  if (body instanceof Denial) return body;
  const idempotent = readIdempotent(applier, { endpoint, context, body: raw as Json });
  if (idempotent instanceof Denial) return idempotent;
  return { params, query, body, idempotent };
}

function check(schema: Endpoint['body'], value: unknown): unknown {
  if (schema === undefined) return {};
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []).map(String), ...(unknown === undefined ? [] : [unknown])].join('.');
  const problem = unknown === undefined ? (issue?.message ?? 'is not valid') : 'is not known here';
  return new Denial('invalid_request', {
    message: path === '' ? problem : `'${path}': ${problem}`,
    param: path,
  });
}

function unexpectedBody(): Denial {
  return new Denial('invalid_request', { message: 'This endpoint takes no body.' });
}

function readIdempotent(
  applier: ChangeApplier,
  of: Pick<Visit, 'endpoint' | 'context'> & { readonly body: Json },
): IdempotentRequest | undefined | Denial {
  if (of.endpoint.method !== 'post') return undefined;
  const key = readIdempotencyKey(of.context.req.header('idempotency-key'));
  if (key === undefined || key instanceof Denial) return key;
  return {
    key,
    hash: applier.fingerprint({ method: 'POST', path: of.context.req.path, body: of.body }),
  };
}

function isChange(result: Reply | Change): result is Change {
  return 'steps' in result;
}

/** Records a refusal: by itself when a key vouches for the caller, else as part of a count. */
function refuse(rooms: ControlRooms, { endpoint, context, principal }: Visit, refusal: Denial): Response {
  const { requestId } = context.env;
  rooms.telemetry.refused(refusal);
  if (principal === undefined) rooms.refusals.count(refusal, context.env);
  else {
    const recorded = rooms.audit.record({
      action: 'control.refused',
      actor: principal.key.id,
      target: `${endpoint.method.toUpperCase()} ${endpoint.path}`,
      decision: 'denied',
      requestId,
      address: context.env.address,
      organizationId: principal.key.organizationId,
      detail: {
        code: refusal.code,
        ...(refusal.detail.param === undefined ? {} : { param: refusal.detail.param }),
      },
    });
    recorded.catch((error: unknown) => rooms.telemetry.auditLost(error, requestId));
  }
  return toResponse(renderRefusal(endpoint, refusal, requestId), requestId);
}

function renderRefusal(endpoint: Endpoint, refusal: Denial | Fault, requestId: string): RenderedError {
  if (endpoint.refusal === 'openai') return renderOpenAiError(refusal);
  return endpoint.refusal === 'validation' ? renderInvalidKey(refusal) : renderProblem(refusal, requestId);
}

function reply(answer: Reply, requestId: string): Response {
  const { text } = answer;
  const headers = {
    'content-type': text?.contentType ?? 'application/json',
    'cache-control': 'no-store',
    'x-request-id': requestId,
  };
  if (answer.status === 204)
    return new Response(null, { status: 204, headers: { 'x-request-id': requestId } });
  if (answer.stream !== undefined) return streamed(answer.stream, requestId);
  return new Response(text?.content ?? JSON.stringify(answer.body), { status: answer.status, headers });
}

/** Says by its `transfer-encoding` that it is to be passed on piece by piece. */
function streamed(stream: StreamedText, requestId: string): Response {
  const left = new AbortController();
  const iterator = stream.pieces(left.signal)[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(Buffer.from(value, 'utf8'));
      },
      async cancel() {
        left.abort();
        // Also where it was never begun: then it has nothing to end but what it was given.
        await iterator.return?.();
      },
    },
    // Nothing is asked for before there is room for it.
    { highWaterMark: 0 },
  );
  const headers = {
    'content-type': stream.contentType,
    'cache-control': 'no-store',
    'x-request-id': requestId,
    'transfer-encoding': 'chunked',
  };
  return new Response(body, { headers });
}

function toResponse(rendered: RenderedError, requestId: string): Response {
  return new Response(rendered.body, {
    status: rendered.status,
    headers: { ...rendered.headers, 'cache-control': 'no-store', 'x-request-id': requestId },
  });
}
