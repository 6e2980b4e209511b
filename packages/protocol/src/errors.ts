/**
 * The one registry of error codes. A code is stable; docs/errors.md lists each, and a test holds the two together.
 * `fault` says who can mend it, `retry` whether the same request may succeed later.
 */

export interface ErrorDefinition {
  readonly status: number;
  readonly fault: 'client' | 'operator' | 'provider' | 'capacity' | 'keyfold';
  readonly retry: 'never' | 'after-change' | 'later';
  readonly title: string;
}

export const ERRORS = {
  invalid_request: { status: 400, fault: 'client', retry: 'never', title: 'The request is malformed.' },
  unsupported_parameter: {
    status: 400,
    fault: 'client',
    retry: 'never',
    title: 'A parameter is not supported.',
  },
  model_unpriced: {
    status: 400,
    fault: 'operator',
    retry: 'after-change',
    title: 'The model has no price, and the call is under a budget.',
  },
  secret_in_url: { status: 400, fault: 'client', retry: 'never', title: 'A secret was sent in the URL.' },
  invalid_api_key: {
    status: 401,
    fault: 'client',
    retry: 'never',
    title: 'The key is missing or not valid.',
  },
  key_expired: { status: 401, fault: 'client', retry: 'never', title: 'The key has expired.' },
  key_revoked: { status: 401, fault: 'client', retry: 'never', title: 'The key has been revoked.' },
  key_not_yet_valid: { status: 401, fault: 'client', retry: 'later', title: 'The key is not valid yet.' },
  key_quarantined: {
    status: 401,
    fault: 'operator',
    retry: 'after-change',
    title: 'The key was reported as leaked and is held until somebody decides.',
  },
  invalid_signature: {
    status: 401,
    fault: 'client',
    retry: 'never',
    title: 'The request must be signed, and this signature does not hold.',
  },
  budget_exhausted: {
    status: 402,
    fault: 'client',
    retry: 'after-change',
    title: 'A budget has no room for the worst-case cost of this call.',
  },
  credit_exhausted: {
    status: 402,
    fault: 'client',
    retry: 'after-change',
    title: "The organization's credit has no room for the worst-case cost of this call.",
  },
  permission_denied: {
    status: 403,
    fault: 'client',
    retry: 'after-change',
    title: 'The key may not do this.',
  },
  key_suspended: {
    status: 403,
    fault: 'operator',
    retry: 'after-change',
    title: 'An alert rule has suspended the key until somebody resumes it.',
  },
  model_not_allowed: {
    status: 403,
    fault: 'client',
    retry: 'after-change',
    title: 'The key may not use this model.',
  },
  network_not_allowed: {
    status: 403,
    fault: 'client',
    retry: 'after-change',
    title: 'The key may not be used from this network.',
  },
  not_found: {
    status: 404,
    fault: 'client',
    retry: 'never',
    title: 'There is nothing here that you may see.',
  },
  model_not_found: {
    status: 404,
    fault: 'client',
    retry: 'after-change',
    title: 'No provider offers this model.',
  },
  method_not_allowed: {
    status: 405,
    fault: 'client',
    retry: 'never',
    title: 'The path does not take this method.',
  },
  request_timeout: {
    status: 408,
    fault: 'client',
    retry: 'later',
    title: 'The request did not arrive in time.',
  },
  conflict: {
    status: 409,
    fault: 'client',
    retry: 'after-change',
    title: 'The state does not allow this change.',
  },
  idempotency_in_flight: {
    status: 409,
    fault: 'client',
    retry: 'later',
    title: 'The call with this idempotency key is still running.',
  },
  idempotency_answer_not_kept: {
    status: 409,
    fault: 'client',
    retry: 'never',
    title: 'The call with this idempotency key was answered, and its answer was not kept.',
  },
  payload_too_large: {
    status: 413,
    fault: 'client',
    retry: 'never',
    title: 'The body is over the size limit.',
  },
  unsupported_media_type: {
    status: 415,
    fault: 'client',
    retry: 'never',
    title: 'The body is not plain JSON, or has a content encoding.',
  },
  idempotency_mismatch: {
    status: 422,
    fault: 'client',
    retry: 'never',
    title: 'The idempotency key was used for another request.',
  },
  rate_limit_exceeded: {
    status: 429,
    fault: 'client',
    retry: 'later',
    title: 'A rate limit has been reached.',
  },
  concurrency_exceeded: {
    status: 429,
    fault: 'client',
    retry: 'later',
    title: 'Too many calls of this key are running.',
  },
  headers_too_large: {
    status: 431,
    fault: 'client',
    retry: 'never',
    title: 'The headers are over the size limit.',
  },
  internal: { status: 500, fault: 'keyfold', retry: 'later', title: 'Keyfold failed.' },
  provider_error: {
    status: 502,
    fault: 'provider',
    retry: 'later',
    title: 'The provider failed or answered nonsense.',
  },
  unavailable: {
    status: 503,
    fault: 'capacity',
    retry: 'later',
    title: 'Something that Keyfold needs is not available.',
  },
  provider_timeout: {
    status: 504,
    fault: 'provider',
    retry: 'later',
    title: 'The provider did not answer in time.',
  },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof ERRORS;
