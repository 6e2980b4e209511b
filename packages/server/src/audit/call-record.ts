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

/** What has a place of its own in the record of a call that has ended, and in that of one that was opened. */
const PLACED_ENDING = new Set<string>(['provider', 'model', 'status', ...TOKENS]);
const PLACED_OPENED = new Set<string>(['provider', 'model', 'held_usd']);

/** In a short record the organization stands before the action, and nothing else stands so. */
export function shortMark(organizationId: string): string {
  return `${JSON.stringify(organizationId)},"call.`;
}

/** The record without its opening `[`, `undefined` where it must be a long one. */
export function renderShort(event: AuditEvent, timeMs: number): string | undefined {
  const { action, actor, target, decision, requestId, organizationId, address, cost, detail } = event;
  if (!ACTIONS.includes(action) || decision !== 'allowed' || detail === undefined) return undefined;
  if (requestId === undefined || organizationId === undefined) return undefined;
  const { provider, model, held_usd: held, status } = detail;
  const isOpened = action === OPENED;
  if (provider === undefined || model === undefined || isOpened !== (cost === undefined)) return undefined;
  if ((isOpened ? held : status) === undefined || (!isOpened && address !== undefined)) return undefined;
  const parts: unknown[] = [timeMs, organizationId, action, target, actor, requestId, provider, model];
  const placed = new Set(isOpened ? PLACED_OPENED : PLACED_ENDING);
  if (cost === undefined) {
    parts.push(held);
    if (address !== undefined) parts.push(address);
  } else {
    parts.push(formatUsd(cost), status, tokensOf(detail), ...timingOf(detail, placed));
  }
  const rest = restOf(detail, placed);
  if (rest !== undefined) parts.push(rest);
  return JSON.stringify(parts).slice(1);
}

/** How long it took and the how manieth attempt it was, where that is not the first; both are numbers, which nothing else is. */
function timingOf(detail: AuditDetail, placed: Set<string>): unknown[] {
  const { duration_ms: durationMs, attempt } = detail;
  if (typeof durationMs !== 'number') return [];
  placed.add('duration_ms');
  if (typeof attempt !== 'number') return [durationMs];
  placed.add('attempt');
  return attempt === 1 ? [durationMs] : [durationMs, attempt];
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

function restOf(detail: AuditDetail, placed: ReadonlySet<string>): AuditDetail | undefined {
  let rest: Record<string, AuditDetail[string]> | undefined;
  for (const name of Object.keys(detail)) {
    const value = detail[name];
    if (placed.has(name) || value === undefined) continue;
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
  const [amount, ...told] = ending;
  const isOpened = action === OPENED;
  const last = told.at(-1);
  const rest = typeof last === 'object' && !Array.isArray(last) ? last : undefined;
  const address = isOpened && typeof told[0] === 'string' ? told[0] : undefined;
  const detail = isOpened ? { held_usd: amount } : readEnding(told);
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
    ...(address === undefined ? {} : { address }),
    ...(isOpened ? {} : { cost_usd: amount }),
    detail: { provider, model, ...detail, ...rest },
  };
}

/** `[status, tokens, duration?, attempt?, rest?]`; records from before these were told have none of the optional ones. */
function readEnding([status, tokens, durationMs, attempt]: readonly unknown[]): Record<string, unknown> {
  const detail: Record<string, unknown> = { status };
  for (const [place, count] of (tokens as readonly number[]).entries()) {
    const name = TOKENS[place];
    if (name !== undefined && count !== 0) detail[name] = count;
  }
  if (typeof durationMs !== 'number') return detail;
  return { ...detail, duration_ms: durationMs, attempt: typeof attempt === 'number' ? attempt : 1 };
}
