/** What the SDK throws: one class for each way in which a request can fail, and the error that an answer stands for. */
import {
  ERRORS,
  type ErrorCode,
  type ErrorDefinition,
  SECRET_PATTERN,
  displaySecret,
} from '@keyfold/protocol';
import { readText } from './answer-text.ts';
import { readRetryAfterMs } from './retry-after.ts';

/** One of Keyfold's stable codes; another text where the answer came from something in between. */
export type AnyErrorCode = ErrorCode | (string & Record<never, never>);

export interface KeyfoldErrorDetail {
  readonly code: AnyErrorCode;
  readonly message: string;
  /** Absent where there was no answer. */
  readonly status?: number | undefined;
  readonly param?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly shouldRetry?: boolean | undefined;
  readonly facts?: ErrorFacts | undefined;
  readonly cause?: unknown;
}

/** Whatever else the server said: which limit, scope or period refused, when it resets. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean>>;

/** Anything that went wrong with a request. `code` is for programs, `message` for people; neither holds a secret. */
export class KeyfoldError extends Error {
  override readonly name: string = 'KeyfoldError';
  /** The HTTP status; `undefined` where there was no answer. */
  readonly status: number | undefined;
  readonly code: AnyErrorCode;
  /** The field or header at fault. */
  readonly param: string | undefined;
  /** Names the request in the server's log. */
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Whether the same request is worth repeating, after `retryAfterMs` or a pause. */
  readonly shouldRetry: boolean;
  readonly facts: ErrorFacts;

  constructor(detail: KeyfoldErrorDetail) {
    super(hideSecrets(detail.message), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.status = detail.status;
    this.code = detail.code;
    this.param = detail.param;
    this.requestId = detail.requestId;
    this.retryAfterMs = detail.retryAfterMs;
    this.shouldRetry = detail.shouldRetry ?? false;
    this.facts = detail.facts ?? {};
  }
}

/** 400 and what else only another request mends: the request is malformed, too large, or says what is not supported. */
export class InvalidRequestError extends KeyfoldError {
  override readonly name: string = 'InvalidRequestError';
}

/** 401: no key, an unknown, expired or revoked one, or a signature that does not hold. */
export class AuthenticationError extends KeyfoldError {
  override readonly name: string = 'AuthenticationError';
}

/** 402: a budget has no room. `facts` names its scope and period, and when it is whole again. */
export class BudgetExhaustedError extends KeyfoldError {
  override readonly name: string = 'BudgetExhaustedError';
}

/** 403: the key may not do this, use this model, or be used from here. */
export class PermissionError extends KeyfoldError {
  override readonly name: string = 'PermissionError';
}

/** 404: there is nothing here that this key may see. */
export class NotFoundError extends KeyfoldError {
  override readonly name: string = 'NotFoundError';
}

/** 409 and 422: the state does not allow this change, or its Idempotency-Key is in use, or was used for another. */
export class ConflictError extends KeyfoldError {
  override readonly name: string = 'ConflictError';
}

/** 429: a rate or concurrency limit. `retryAfterMs` says how long to wait. */
export class RateLimitError extends KeyfoldError {
  override readonly name: string = 'RateLimitError';
}

/** 408 and 5xx: Keyfold, something that it needs, or the provider did not deliver. */
export class UnavailableError extends KeyfoldError {
  override readonly name: string = 'UnavailableError';
}

/** There was no answer. What was asked may have been done nevertheless. */
export class ConnectionError extends KeyfoldError {
  override readonly name: string = 'ConnectionError';
}

const DEFINITIONS: readonly ErrorDefinition[] = Object.values(ERRORS);
/** What is worth repeating by its status alone: every code of that status says so. */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set(
  DEFINITIONS.map(({ status }) => status).filter((status) =>
    DEFINITIONS.every((each) => each.status !== status || each.retry === 'later'),
  ),
);
/** Codes that are worth repeating although others of their status are not. */
const RETRYABLE_CODES: readonly string[] = ['idempotency_in_flight'];

const CLASSES: ReadonlyMap<number, typeof KeyfoldError> = new Map<number, typeof KeyfoldError>([
  [401, AuthenticationError],
  [402, BudgetExhaustedError],
  [403, PermissionError],
  [404, NotFoundError],
  [408, UnavailableError],
  [409, ConflictError],
  [422, ConflictError],
  [429, RateLimitError],
]);

const ERROR_BYTES_MAX = 65_536;
const MESSAGE_CHARACTERS_MAX = 2_000;
/** What has a place of its own in the error. */
const NAMED_FIELDS = ['type', 'title', 'status', 'message', 'detail', 'code', 'param', 'request_id'];

/**
 * The error that an answer stands for, whichever shape it has: OpenAI's error object, an RFC 9457 problem, the refusal of
 * `/v1/keys/validate`, or none of these. Reads the body; hand it a clone where the answer is still needed.
 */
export async function toKeyfoldError(response: Response, nowMs = Date.now()): Promise<KeyfoldError> {
  const { status, headers } = response;
  const body = parseObject(await readText(response, ERROR_BYTES_MAX).catch(() => ''));
  const inner = isObject(body['error']) ? body['error'] : body;
  const code = textAt(inner, 'code') ?? `http_${status}`;
  const ErrorClass = CLASSES.get(status) ?? (status >= 500 ? UnavailableError : InvalidRequestError);
  return new ErrorClass({
    status,
    code,
    message: describe(inner, status),
    param: textAt(inner, 'param'),
    requestId: textAt(body, 'request_id') ?? headers.get('x-request-id') ?? undefined,
    retryAfterMs: readRetryAfterMs(headers, nowMs),
    shouldRetry: mayRetry(status, { headers, code }),
    facts: readFacts(inner),
  });
}

/** What the server advises (`x-should-retry`), else what its status and code mean. */
export function mayRetry(
  status: number,
  of: { readonly headers: Headers; readonly code?: string | undefined },
): boolean {
  const advice = of.headers.get('x-should-retry');
  if (advice === 'true' || advice === 'false') return advice === 'true';
  return RETRYABLE_STATUSES.has(status) || (of.code !== undefined && RETRYABLE_CODES.includes(of.code));
}

function describe(body: JsonObject, status: number): string {
  const message = textAt(body, 'message') ?? textAt(body, 'detail') ?? textAt(body, 'title');
  return (message ?? `The server answered ${status}.`).slice(0, MESSAGE_CHARACTERS_MAX);
}

function readFacts(body: JsonObject): ErrorFacts {
  const facts: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(body)) {
    if (NAMED_FIELDS.includes(name)) continue;
    if (typeof value === 'string') facts[name] = hideSecrets(value.slice(0, MESSAGE_CHARACTERS_MAX));
    else if (typeof value === 'number' || typeof value === 'boolean') facts[name] = value;
  }
  return facts;
}

/** Messages end in logs; whoever wrote them may have quoted the request. */
function hideSecrets(text: string): string {
  return text.replace(SECRET_PATTERN, (secret) => displaySecret(secret));
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function textAt(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
