/**
 * Responsible for what OpenAI's errors mean. Where a code says more than the status it counts; else they mean what they
 * mean at every compatible server.
 */
import { classifyFailure as classifyCompatible, readCodes } from '../openai-compatible/classify-failure.ts';
import { failureClass } from '../failure-class.ts';
import type { FailureClass, FailureKind } from '../provider.ts';

export function classifyFailure(status: number, body: Buffer): FailureClass {
  for (const code of status < 400 ? [] : readCodes(body)) {
    const kind = KINDS_BY_CODE.get(code);
    if (kind !== undefined) return failureClass(kind);
  }
  return classifyCompatible(status, body);
}

/** "Error codes", developers.openai.com. A project that may not use a model is told so with a 403. */
const KINDS_BY_CODE: ReadonlyMap<unknown, FailureKind> = new Map<unknown, FailureKind>([
  ['insufficient_quota', 'quota'],
  ['credit_balance_exhausted', 'quota'],
  ['organization_spend_limit_exceeded', 'quota'],
  ['project_spend_limit_exceeded', 'quota'],
  ['organization_usage_limit_exceeded', 'quota'],
  ['billing_hard_limit_reached', 'quota'],
  ['billing_not_active', 'quota'],
  // The account may not be served from where Keyfold runs, whatever it asks for.
  ['unsupported_country_region_territory', 'credential'],
  ['model_not_found', 'model'],
]);
