/**
 * The records of calls in their short form: a JSON array of what the long form says under names. Two are written for every
 * call, and half of their bytes would be names. Nothing is left out, no record refers to another, and what is stored is what
 * is hashed. docs/audit-events.md says what stands where.
 */
import { formatUsd } from '@keyfold/protocol';
import type { AuditDetail, AuditEvent } from './audit-event.ts';

/** The places of the tokens, by how often they are used; zeros at the end are left out. What is new goes to the end. */
const TOKENS = [
  'input_tokens',
  'output_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'audio_output_tokens',
  'image_output_tokens',
] as const;

const OPENED = 'call.opened';
/** Actions that a short record can have; all of them were allowed. */
const ACTIONS: readonly string[] = [OPENED, 'call.settled', 'call.released', 'call.expired'];

type Value = AuditDetail[string];

/** In a short record the organization stands before the action, and nothing else stands so. */
export function shortMark(organizationId: string): string {
  return `${JSON.stringify(organizationId)},"call.`;
}

/** The record without its opening `[`, `undefined` where it must be a long one. */
export function renderShort(event: AuditEvent, timeMs: number): string | undefined {
  const { action, actor, target, decision, requestId, organizationId, cost, detail } = event;
  if (!ACTIONS.includes(action) || decision !== 'allowed' || detail === undefined) return undefined;
  if (requestId === undefined || organizationId === undefined) return undefined;
  const rest = new Map(Object.entries(detail));
  const take = (name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    return value;
  };
  const parts: unknown[] = [
    timeMs,
    organizationId,
    action,
    target,
    actor,
    requestId,
    take('provider'),
    take('model'),
  ];
  if (action === OPENED) parts.push(take('held_usd'));
  else parts.push(cost === undefined ? undefined : formatUsd(cost), take('status'), takeTokens(take));
  if (parts.includes(undefined) || (action === OPENED && cost !== undefined)) return undefined;
  if (rest.size > 0) parts.push(Object.fromEntries(rest));
  return JSON.stringify(parts).slice(1);
}

function takeTokens(take: (name: string) => Value | undefined): Value[] {
  const counts = TOKENS.map((name) => take(name) ?? 0);
  while (counts.length > 0 && counts.at(-1) === 0) counts.pop();
  return counts;
}

/** The long form of a stored record, whichever it is stored in. */
export function readRecord(record: string): Readonly<Record<string, unknown>> {
  const value = JSON.parse(record) as Readonly<Record<string, unknown>> | readonly unknown[];
  return Array.isArray(value) ? expand(value) : (value as Readonly<Record<string, unknown>>);
}

function expand(values: readonly unknown[]): Readonly<Record<string, unknown>> {
  const [
    sequence,
    node,
    timeMs,
    organizationId,
    action,
    target,
    actor,
    requestId,
    provider,
    model,
    ...ending
  ] = values;
  const detail: Record<string, unknown> = { provider, model };
  const [amount, status, tokens] = ending;
  const rest = action === OPENED ? status : ending[3];
  if (action === OPENED) {
    detail['held_usd'] = amount;
  } else {
    detail['status'] = status;
    for (const [place, count] of (tokens as readonly number[]).entries()) {
      const name = TOKENS[place];
      if (name !== undefined && count !== 0) detail[name] = count;
    }
  }
  return {
    sequence,
    node,
    time: new Date(Number(timeMs)).toISOString(),
    actor,
    action,
    target,
    decision: 'allowed',
    request_id: requestId,
    organization_id: organizationId,
    ...(action === OPENED ? {} : { cost_usd: amount }),
    detail: { ...detail, ...(rest as object | undefined) },
  };
}
