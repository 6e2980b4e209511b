/** `POST /v1/leaks` in the form of GitHub's partner program: a signed list of tokens, each answered with what it was. */
import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import type { AuditLog } from '../../audit/audit-log.ts';
import type { RefusalSummary } from '../../audit/refusal-summary.ts';
import { Denial } from '../../kernel/denial.ts';
import { renderProblem } from '../../kernel/error-bodies.ts';
import { Fault } from '../../kernel/fault.ts';
import { PARTNER_HEADERS, type PartnerKeys } from '../../signing/partner-keys.ts';
import type { Door } from '../../signing/door.ts';
import type { Database } from '../../storage/database.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { type Containment, type LeakReport, type LeakRooms, planContainment } from './contain-leak.ts';
import type { ControlApp } from '../control-app.ts';
import type { ControlBindings } from '../endpoint.ts';
import { LEAKS_PATH } from './leak-endpoint.ts';
import { z } from '../schemas.ts';

export interface PartnerRooms extends LeakRooms {
  readonly audit: AuditLog;
  readonly database: Database;
  readonly door: Door;
  readonly partnerKeys: PartnerKeys;
  readonly refusals: RefusalSummary;
  readonly telemetry: Telemetry;
}

/** Tokens in one message. */
const TOKENS_MAX = 1_000;
/** How often one is tried anew because its key was changed meanwhile. */
const ROUNDS_MAX = 5;

const message = z
  .array(
    z.looseObject({
      token: z.string().max(1_000),
      type: z.string().max(200),
      url: z.string().max(4_000).nullish(),
    }),
  )
  .max(TOKENS_MAX);
type Tokens = z.infer<typeof message>;

/** Must be added before the endpoint of that path: it takes only what a partner has signed. */
export function addPartnerLeaks(app: ControlApp, rooms: PartnerRooms): void {
  app.post(LEAKS_PATH, async (context, next) => {
    if (context.env.presented.header(PARTNER_HEADERS.signature) === undefined) return next();
    return serve(rooms, context);
  });
}

async function serve(
  rooms: PartnerRooms,
  context: Context<{ Bindings: ControlBindings }>,
): Promise<Response> {
  const { requestId } = context.env;
  try {
    const tokens = await readTokens(rooms, context.env);
    if (tokens instanceof Denial) {
      rooms.telemetry.refused(tokens);
      rooms.refusals.count(tokens, context.env);
      return respond(renderProblem(tokens, requestId), requestId);
    }
    const labels = [];
    for (const { token, type, url } of tokens) {
      const contained = await contain(
        rooms,
        { secret: token, source: 'github', url: url ?? undefined },
        requestId,
      );
      labels.push({
        token_hash: createHash('sha256').update(token).digest('base64'),
        token_type: type,
        label: contained === undefined ? 'false_positive' : 'true_positive',
      });
    }
    return respond(
      { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(labels) },
      requestId,
    );
  } catch (error) {
    const fault =
      error instanceof Fault
        ? error
        : new Fault('internal', { internal: 'leak report failed', cause: error });
    rooms.telemetry.fault(fault, requestId);
    return respond(renderProblem(fault, requestId), requestId);
  }
}

/** The signature is over the raw body, so the body is read first; it is bounded as every body is. */
async function readTokens(rooms: PartnerRooms, env: ControlBindings): Promise<Tokens | Denial> {
  const keyId = env.presented.header(PARTNER_HEADERS.key);
  const signature = env.presented.header(PARTNER_HEADERS.signature);
  if (!rooms.partnerKeys.knows(keyId)) {
    return new Denial('invalid_signature', { reason: 'unknown partner key' });
  }
  const body = await env.readBody(false);
  if (body instanceof Denial) return body;
  if (!rooms.partnerKeys.holds({ body, keyId, signature })) {
    return new Denial('invalid_signature', { reason: 'partner signature' });
  }
  env.vouch();
  const parsed = message.safeParse(parseJson(body));
  return parsed.success
    ? parsed.data
    : new Denial('invalid_request', { message: 'The body must be a list of {token, type, url}.' });
}

/** What a partner has signed is not an attack; what it is not JSON fails the check of its form. */
function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The change and its record in one commit, in the name of Keyfold itself, whichever organization the key is of. */
async function contain(
  rooms: PartnerRooms,
  report: LeakReport,
  requestId: string,
): Promise<Containment | undefined> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const contained = await planContainment(rooms, report);
    if (contained === undefined) return undefined;
    const { organizationId } = contained.key;
    const isChange = contained.steps.length > 0;
    const { committed } = await rooms.database.commit({
      steps: [
        ...(isChange ? [rooms.projects.reviseStep(organizationId)] : []),
        ...contained.steps,
        rooms.audit.step({
          ...contained.event,
          actor: 'system',
          decision: 'allowed',
          requestId,
          organizationId,
        }),
      ],
    });
    if (!committed) continue;
    if (isChange) rooms.door.forget();
    rooms.telemetry.leakContained(contained.action);
    return contained;
  }
  throw new Fault('unavailable', { internal: 'a leaked key kept changing while it was contained' });
}

function respond(
  answer: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  },
  requestId: string,
): Response {
  const headers = { ...answer.headers, 'cache-control': 'no-store', 'x-request-id': requestId };
  return new Response(answer.body, { status: answer.status, headers });
}
