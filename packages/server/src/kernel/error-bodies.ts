/** The one place where error bodies are made: what a denial or a fault looks like to a client, in each dialect. */
import { ERRORS, type ErrorCode } from '@keyfold/protocol';
import { Denial } from './denial.ts';
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
  const { code, message, param, facts, retryAfterMs } = publicParts(refusal);
  const { status } = ERRORS[code];
  const type = OPENAI_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error');
  return {
    status,
    headers: { 'content-type': 'application/json', ...retryHeaders(status, retryAfterMs) },
    body: JSON.stringify({ error: { message, type, param: param ?? null, code, ...facts } }),
  };
}

/** An RFC 9457 problem, with `code` and `request_id`. */
export function renderProblem(refusal: Denial | Fault, requestId: string): RenderedError {
  const { code, message, param, facts, retryAfterMs } = publicParts(refusal);
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
    headers: { 'content-type': 'application/problem+json', ...retryHeaders(status, retryAfterMs) },
    body: JSON.stringify(problem),
  };
}

/** `{"valid": false, "error": {code, message}}`, of `/v1/keys/validate`. */
export function renderInvalidKey(refusal: Denial | Fault): RenderedError {
  const { code, message, retryAfterMs } = publicParts(refusal);
  const { status } = ERRORS[code];
  return {
    status,
    headers: { 'content-type': 'application/json', ...retryHeaders(status, retryAfterMs) },
    body: JSON.stringify({ valid: false, error: { code, message } }),
  };
}

function publicParts(refusal: Denial | Fault): {
  code: ErrorCode;
  message: string;
  param: string | undefined;
  facts: Readonly<Record<string, string | number>> | undefined;
  retryAfterMs: number | undefined;
} {
  const { code } = refusal;
  if (refusal instanceof Denial) {
    const { message, param, facts, retryAfterMs } = refusal.detail;
    return { code, message: redact(message ?? ERRORS[code].title), param, facts, retryAfterMs };
  }
  return {
    code,
    message: redact(refusal.publicDetail ?? ERRORS[code].title),
    param: undefined,
    facts: undefined,
    retryAfterMs: undefined,
  };
}

/** `x-should-retry` steers OpenAI's and Anthropic's clients, which else retry by status alone. */
function retryHeaders(status: number, retryAfterMs: number | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (retryAfterMs !== undefined)
    headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
  if (status === 402 || (status === 429 && retryAfterMs === undefined)) headers['x-should-retry'] = 'false';
  return headers;
}
