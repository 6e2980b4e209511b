/** The one place where error bodies are made: what a denial or a fault looks like to a client, in each dialect. */
import { ERRORS, type ErrorCode } from '@keyfold/protocol';
import { Denial, type DenialDetail } from './denial.ts';
import type { Fault } from './fault.ts';
import { redact } from './redact.ts';

export interface RenderedError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** OpenAI's names for classes of errors, by which its clients choose what to throw. */
const OPENAI_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'insufficient_quota',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

/** `{"error": {message, type, param, code}}`: OpenAI's error object. */
export function renderOpenAiError(refusal: Denial | Fault): RenderedError {
  const { code, message, param, facts } = publicParts(refusal);
  const { status } = ERRORS[code];
  const type = OPENAI_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error');
  return {
    status,
    headers: { 'content-type': 'application/json', ...answerHeaders(status, refusal) },
    body: JSON.stringify({ error: { message, type, param: param ?? null, code, ...facts } }),
  };
}

/** Anthropic's names for classes of errors, by which its clients choose what to throw (platform.claude.com, "Errors"). */
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** `{"type": "error", "error": {type, message, …}, "request_id"}`: Anthropic's error object, with what else we know in it. */
export function renderAnthropicError(refusal: Denial | Fault, requestId: string): RenderedError {
  const { code, message, param, facts } = publicParts(refusal);
  const { status } = ERRORS[code];
  const type = ANTHROPIC_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  const error = { type, message, code, ...(param === undefined ? {} : { param }), ...facts };
  return {
    status,
    headers: { 'content-type': 'application/json', ...answerHeaders(status, refusal) },
    body: JSON.stringify({ type: 'error', error, request_id: requestId }),
  };
}

/** Google's names for classes of errors (google.rpc.Code), by which its clients choose what to throw. */
const GOOGLE_STATUSES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  402: 'FAILED_PRECONDITION',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** `{"error": {code, message, status, details}}`: Google's error object, with what else we know in its `ErrorInfo`. */
export function renderGeminiError(refusal: Denial | Fault): RenderedError {
  const { code, message, param, facts = {} } = publicParts(refusal);
  const { status } = ERRORS[code];
  const named = param === undefined ? facts : { ...facts, param };
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: code,
    domain: 'keyfold',
    metadata: Object.fromEntries(Object.entries(named).map(([name, value]) => [name, String(value)])),
  };
  const name = GOOGLE_STATUSES[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL');
  return {
    status,
    headers: { 'content-type': 'application/json', ...answerHeaders(status, refusal) },
    body: JSON.stringify({ error: { code: status, message, status: name, details: [info] } }),
  };
}

/** An RFC 9457 problem, with `code` and `request_id`. */
export function renderProblem(refusal: Denial | Fault, requestId: string): RenderedError {
  const { code, message, param, facts } = publicParts(refusal);
  const { status, title } = ERRORS[code];
  const problem = {
    type: `urn:keyfold:error:${code}`,
    title,
    status,
    detail: message,
    code,
    request_id: requestId,
    ...(param === undefined ? {} : { param }),
    ...facts,
  };
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...answerHeaders(status, refusal) },
    body: JSON.stringify(problem),
  };
}

/** `{"valid": false, "error": {code, message}}`, of `/v1/keys/validate`. */
export function renderInvalidKey(refusal: Denial | Fault): RenderedError {
  const { code, message } = publicParts(refusal);
  const { status } = ERRORS[code];
  return {
    status,
    headers: { 'content-type': 'application/json', ...answerHeaders(status, refusal) },
    body: JSON.stringify({ valid: false, error: { code, message } }),
  };
}

function publicParts(refusal: Denial | Fault): {
  code: ErrorCode;
  message: string;
  param: string | undefined;
  facts: Readonly<Record<string, string | number>> | undefined;
} {
  const { code } = refusal;
  if (refusal instanceof Denial) {
    const { message, param, facts } = refusal.detail;
    return { code, message: redact(message ?? ERRORS[code].title), param, facts };
  }
  return {
    code,
    message: redact(refusal.publicDetail ?? ERRORS[code].title),
    param: undefined,
    facts: undefined,
  };
}

/** `x-should-retry` steers OpenAI's and Anthropic's clients, which else retry by status alone. */
function answerHeaders(status: number, refusal: Denial | Fault): Record<string, string> {
  const { retryAfterMs, serverTimeS }: DenialDetail = refusal instanceof Denial ? refusal.detail : {};
  const headers: Record<string, string> = {};
  if (retryAfterMs !== undefined)
    headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
  // Clients try a 409 again, or do not, whatever was in conflict.
  if (status === 409) headers['x-should-retry'] = String(retryAfterMs !== undefined);
  else if (status === 402 || (status === 429 && retryAfterMs === undefined))
    headers['x-should-retry'] = 'false';
  // With it a client whose clock is wrong can correct it; `Date` comes with every answer.
  if (serverTimeS !== undefined) headers['x-keyfold-time'] = String(serverTimeS);
  return headers;
}
