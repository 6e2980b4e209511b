/**
 * Responsible for what an OpenAI-compatible server's error means, from the status and the `error.code` and `error.type`
 * of the body `{"error": {"message", "type", "param", "code"}}`.
 */
import { JsonRefusal, parseJsonObject } from '../../kernel/json-scan.ts';
import { failureClass } from '../failure-class.ts';
import type { FailureClass, FailureKind } from '../provider.ts';

export function classifyFailure(status: number, body: Buffer): FailureClass {
  return failureClass(kindOf(status, body));
}

function kindOf(status: number, body: Buffer): FailureKind {
  switch (status) {
    case 401:
      return 'credential';
    case 403:
      return 'permission';
    case 402:
      return 'quota';
    case 404:
      return 'model';
    case 408:
    case 409:
      return 'server';
    case 429:
      return readCodes(body).includes('insufficient_quota') ? 'quota' : 'rate_limit';
    case 503:
    case 529:
      return 'overload';
    default:
      return kindOfOthers(status, body);
  }
}

function kindOfOthers(status: number, body: Buffer): FailureKind {
  if (status >= 500) return 'server';
  if (status >= 400) return readCodes(body).includes('model_not_found') ? 'model' : 'request';
  // Neither an answer nor an error: whoever sent it is no API server.
  return 'server';
}

/** What the error says of itself: its `code` and its `type`. */
export function readCodes(body: Buffer): unknown[] {
  const fields = parseJsonObject(body);
  const error = fields instanceof JsonRefusal ? undefined : fields['error'];
  if (typeof error !== 'object' || error === null) return [];
  const { code, type } = error as { code?: unknown; type?: unknown };
  return [code, type];
}
