/**
 * Responsible for what the Gemini API's errors mean, from the HTTP status, and the `status`, `details` and `message` of
 * the body `{"error": {"code", "message", "status", "details"}}` (`google.rpc.Status`; ai.google.dev, "Troubleshooting").
 */
import { failureClass } from '../failure-class.ts';
import type { FailureClass, FailureKind } from '../provider.ts';
import { fieldsOf } from '../strict-usage.ts';

export function classifyFailure(status: number, body: Buffer): FailureClass {
  // Neither an answer nor an error: whoever sent it is no API server.
  if (status < 400) return failureClass('server');
  const error = readError(body);
  const { retryAfterMs } = error;
  return {
    ...failureClass(kindOf(status, error)),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

interface ErrorParts {
  readonly code: unknown;
  readonly reason: string;
  readonly message: unknown;
  readonly retryAfterMs: number | undefined;
}

/** The most particular first. */
function kindOf(status: number, { code, reason, message }: ErrorParts): FailureKind {
  if (reason === 'BILLING_DISABLED') return 'quota';
  if (CREDENTIAL_REASON.test(reason)) return 'credential';
  const kind = KINDS_BY_CODE.get(code) ?? KINDS_BY_STATUS.get(status);
  if (kind === 'rate_limit') {
    return typeof message === 'string' && SPENT_MESSAGE.test(message) ? 'quota' : kind;
  }
  return kind ?? (status >= 500 ? 'server' : 'request');
}

/** An error in place of a stream may be the one element of an array. */
function readError(body: Buffer): ErrorParts {
  const parsed = parse(body);
  const error = fieldsOf(fieldsOf(Array.isArray(parsed) ? parsed[0] : parsed)?.['error']);
  const details: unknown = error?.['details'];
  const detailOf = (type: string) =>
    Array.isArray(details)
      ? details.map((detail) => fieldsOf(detail)).find((detail) => detail?.['@type'] === type)
      : undefined;
  return {
    code: error?.['status'],
    reason: String(detailOf(ERROR_INFO)?.['reason']),
    message: error?.['message'],
    retryAfterMs: readDelay(detailOf(RETRY_INFO)?.['retryDelay']),
  };
}

/** A `google.protobuf.Duration` as JSON: seconds with up to nine decimals and an `s`. */
function readDelay(delay: unknown): number | undefined {
  const [, seconds] = typeof delay === 'string' ? (DURATION.exec(delay) ?? []) : [];
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1_000);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Cut short, or from something that is no API server: the HTTP status alone counts.
    return undefined;
  }
}

const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';
const DURATION = /^(\d{1,9}(?:\.\d{1,9})?)s$/;

/** `google.api.ErrorReason`: what is wrong with a key or its project. A key that is not valid comes as a plain 400. */
const CREDENTIAL_REASON =
  /^(?:API_KEY|ACCESS_TOKEN|ACCOUNT_STATE|CONSUMER|CREDENTIALS?|SERVICE_DISABLED)(?:_|$)/;

const KINDS_BY_CODE: ReadonlyMap<unknown, FailureKind> = new Map<unknown, FailureKind>([
  ['INVALID_ARGUMENT', 'request'],
  // The account may not be served from where the call comes, or not before it pays.
  ['FAILED_PRECONDITION', 'permission'],
  ['UNAUTHENTICATED', 'credential'],
  ['PERMISSION_DENIED', 'permission'],
  ['NOT_FOUND', 'model'],
  ['RESOURCE_EXHAUSTED', 'rate_limit'],
  ['INTERNAL', 'server'],
  ['UNAVAILABLE', 'overload'],
  ['DEADLINE_EXCEEDED', 'server'],
]);

const KINDS_BY_STATUS: ReadonlyMap<number, FailureKind> = new Map<number, FailureKind>([
  [401, 'credential'],
  [402, 'quota'],
  [403, 'permission'],
  [404, 'model'],
  [408, 'server'],
  [409, 'server'],
  [429, 'rate_limit'],
  [503, 'overload'],
  [529, 'overload'],
]);

/** Nothing but these words tells an empty account from a rate that is too high. */
const SPENT_MESSAGE = /^Your prepayment credits are depleted/;
