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

/** What has a place of its own, and what of it only a call that has ended. */
const ENDING = new Set<string>(['status', ...TOKENS]);
const PLACED = new Set<string>(['provider', 'model', ...ENDING]);

/** In a short record the organization stands before the action, and nothing else stands so. */
export function shortMark(organizationId: string): string {
  return `${JSON.stringify(organizationId)},"call.`;
}

/** The record without its opening `[`, `undefined` where it must be a long one. */
export function renderShort(event: AuditEvent, timeMs: number): string | undefined {
  const { action, actor, target, decision, requestId, organizationId, cost, detail } = event;
  if (!ACTIONS.includes(action) || decision !== 'allowed' || detail === undefined) return undefined;
  if (requestId === undefined || organizationId === undefined) return undefined;
  const { provider, model, held_usd: held, status } = detail;
  const isOpened = action === OPENED;
  if (provider === undefined || model === undefined || isOpened !== (cost === undefined)) return undefined;
  const parts: unknown[] = [timeMs, organizationId, action, target, actor, requestId, provider, model];
  if (cost === undefined) parts.push(held);
  else parts.push(formatUsd(cost), status, tokensOf(detail));
  if ((isOpened ? held : status) === undefined) return undefined;
  const rest = restOf(detail, isOpened);
  if (rest !== undefined) parts.push(rest);
  return JSON.stringify(parts).slice(1);
}

function tokensOf(detail: AuditDetail): unknown[] {
  const counts: unknown[] = [];
  for (const [place, name] of TOKENS.entries()) {
    const count = detail[name] ?? 0;
    if (count === 0) continue;
    while (counts.length < place) counts.push(0);
    counts.push(count);
  }
  return counts;
}

/** What has no place: an opened call has no status and no tokens, another one holds nothing. */
function restOf(detail: AuditDetail, isOpened: boolean): AuditDetail | undefined {
  let rest: Record<string, AuditDetail[string]> | undefined;
  for (const name of Object.keys(detail)) {
    const isPlaced = name === 'held_usd' ? isOpened : PLACED.has(name) && (!isOpened || !ENDING.has(name));
    const value = detail[name];
    if (isPlaced || value === undefined) continue;
    rest ??= {};
    rest[name] = value;
  }
  return rest;
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
