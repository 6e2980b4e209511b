/**
 * Responsible for what Anthropic's errors mean, from the status, and the `type`, `details.error_code` and `message` of the
 * body `{"type": "error", "error": {...}, "request_id"}`.
 */
import { JsonRefusal, parseJsonObject } from '../../kernel/json-scan.ts';
import { failureClass } from '../failure-class.ts';
import type { FailureClass, FailureKind } from '../provider.ts';
import { fieldsOf } from '../strict-usage.ts';

export function classifyFailure(status: number, body: Buffer): FailureClass {
  // Neither an answer nor an error: whoever sent it is no API server.
  return failureClass(status < 400 ? 'server' : kindOf(status, readError(body)));
}

interface ErrorParts {
  readonly type: unknown;
  readonly code: unknown;
  readonly message: unknown;
}

/** The most particular first. */
function kindOf(status: number, { type, code, message }: ErrorParts): FailureKind {
  const kind = KINDS_BY_CODE.get(code) ?? KINDS_BY_TYPE.get(type) ?? KINDS_BY_STATUS.get(status);
  // Where something other than the model was not found, a code says what.
  if (kind === 'model') return code === undefined ? 'model' : 'request';
  if (kind !== undefined) return kind;
  if (status >= 500) return 'server';
  return typeof message === 'string' && SPENT_MESSAGE.test(message) ? 'quota' : 'request';
}

function readError(body: Buffer): ErrorParts {
  const fields = parseJsonObject(body);
  const error = fields instanceof JsonRefusal ? undefined : fieldsOf(fields['error']);
  return {
    type: error?.['type'],
    code: fieldsOf(error?.['details'])?.['error_code'],
    message: error?.['message'],
  };
}

/** Causes that concern the account, under a status that says otherwise. */
const KINDS_BY_CODE: ReadonlyMap<unknown, FailureKind> = new Map<unknown, FailureKind>([
  ['enforced_spend_limit_reached', 'quota'],
  ['contract_spend_limit_reached', 'quota'],
  ['organization_on_hold', 'credential'],
  ['cmek_key_disabled', 'credential'],
  ['cmek_key_network_blocked', 'credential'],
]);

/** `invalid_request_error` and `api_error` stand for many statuses, and say less than those. */
const KINDS_BY_TYPE: ReadonlyMap<unknown, FailureKind> = new Map<unknown, FailureKind>([
  ['authentication_error', 'credential'],
  ['permission_error', 'permission'],
  ['billing_error', 'quota'],
  ['not_found_error', 'model'],
  ['request_too_large', 'request'],
  ['rate_limit_error', 'rate_limit'],
  ['timeout_error', 'server'],
  ['conflict_error', 'server'],
  ['overloaded_error', 'overload'],
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

/**
 * How a refusal for want of money begins that comes as a plain 400: a spend limit of the account's own ("Setting your own
 * spend limit", platform.claude.com), or no credit. Nothing but these words tells it from a wrong request.
 */
const SPENT_MESSAGE =
  /^(?:You have reached your specified (?:workspace )?API usage limits|Your credit balance is too low)/;
