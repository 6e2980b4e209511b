/** Asks a credential's provider for its models: what it has, or why it does not say. */
import type { Credential } from '../../credentials/credential.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import { Fault } from '../../kernel/fault.ts';
import { redact } from '../../kernel/redact.ts';
import type { FailureKind } from '../../providers/provider.ts';
import type { Targets } from '../../routing/targets.ts';
import { ask } from '../../upstream/ask.ts';
import type { UpstreamFaultKind } from '../../upstream/upstream-fault.ts';
import { MODELS_MAX, MODEL_NAME } from './credential-input.ts';

/**
 * `not_found`: there is no list of models at this base URL. `unreadable`: an answer that is no list. What else there is,
 * the provider or the connection said.
 */
export type AskFailure = Exclude<FailureKind, 'model'> | UpstreamFaultKind | 'not_found' | 'unreadable';

export const ASK_FAILURES = [
  'aborted',
  'credential',
  'permission',
  'denied_address',
  'not_found',
  'overload',
  'overloaded',
  'protocol',
  'quota',
  'rate_limit',
  'redirected',
  'refused',
  'request',
  'reset',
  'server',
  'timeout',
  'unreadable',
] as const satisfies readonly AskFailure[];

export interface AskedModels {
  /** Absent where the provider has answered with its models. */
  readonly failure: AskFailure | undefined;
  /** Absent where there was no answer. */
  readonly status: number | undefined;
  readonly latencyMs: number;
  /** Those whose names a credential can list, `MODELS_MAX` of them at most. */
  readonly models: readonly string[];
  readonly hasMore: boolean;
}

export interface AskRooms {
  readonly targets: Targets;
  readonly clock: Clock;
}

/** Throws `Fault('unavailable')` when egress policy no longer allows what the row says. */
export async function askModels(
  rooms: AskRooms,
  credential: Credential,
  secret: string,
): Promise<AskedModels> {
  const provider = rooms.targets.providerOf(credential);
  const { models: listing } = provider;
  if (listing === undefined)
    throw new Fault('internal', { internal: `${provider.id} has no list of models` });
  const pool = rooms.targets.poolOf(credential);
  const startedMs = rooms.clock.monotonicMs();
  const outcome = await ask(pool, listing.buildRequest(secret));
  const latencyMs = Math.round(rooms.clock.monotonicMs() - startedMs);
  const failed = (failure: AskFailure, status?: number): AskedModels => ({
    failure,
    status,
    latencyMs,
    models: [],
    hasMore: false,
  });
  if ('kind' in outcome) return failed(outcome.kind);
  const { status, body } = outcome;
  if (status !== 200) {
    const { kind } = provider.classifyFailure(status, body);
    return failed(kind === 'model' ? 'not_found' : kind, status);
  }
  const names = listing.read(body);
  if (names === undefined) return failed('unreadable', status);
  // A server that repeats the secret among the names would have it shown and stored.
  const models = [...new Set(names)].filter(
    (name) => MODEL_NAME.test(name) && name !== secret && redact(name) === name,
  );
  return {
    failure: undefined,
    status,
    latencyMs,
    models: models.slice(0, MODELS_MAX),
    hasMore: models.length > MODELS_MAX,
  };
}

/** What a credential is to list that was not told what it has; refused with what to do where that was not found. */
export function readFoundModels(asked: AskedModels): readonly string[] | Denial {
  const { failure, status, models } = asked;
  if (failure !== undefined) {
    const why = WHY[failure] ?? 'it could not answer';
    const answered = status === undefined ? '' : `, status ${status}`;
    return refuse(`The server was asked for its models, and ${why} (${failure}${answered}).`, failure);
  }
  if (asked.hasMore) return refuse(`The server offers more than ${MODELS_MAX} models.`, 'too_many');
  return models.length > 0 ? models : refuse('The server offers no model.', 'none');
}

/** The failures that operators mend themselves, in words. */
const WHY: Partial<Readonly<Record<AskFailure, string>>> = {
  credential: 'it refuses the secret',
  permission: 'the secret may not list models',
  denied_address: 'its address is not public and allow_networks does not name it',
  not_found: 'there is no list of models at this base_url',
  protocol: 'what answered does not speak HTTP, or said too much',
  redirected: 'it answered with a redirect, which is never followed',
  refused: 'it cannot be reached',
  reset: 'it broke the connection',
  timeout: 'it did not answer in time',
  unreadable: 'its answer is no list of models',
};

function refuse(what: string, reason: string): Denial {
  const message = `${what} Name the models in 'models', or mend base_url, allow_networks or the secret.`;
  return new Denial('invalid_request', { param: 'models', message, facts: { reason } });
}
