/** A stored record as alert rules judge it: what they never ask for is not read, and the record of a call costs little. */
import { type StoredEvent, readEvent } from './stored-event.ts';

/** In a short record, after what all of them say. */
const AMOUNT_AT = 10;
const NO_DETAIL: StoredEvent['detail'] = {};

/** In its short form; there are only records of calls in it. */
export function isShort(record: string): boolean {
  return record.startsWith('[');
}

/**
 * As `readEvent`, but that the short record of a call has little of its detail: `provider`, `model` and `held_usd` where it
 * was opened, nothing where it ended.
 */
export function readBriefly(record: string): StoredEvent {
  if (!isShort(record)) return readEvent(record);
  const values = JSON.parse(record) as readonly unknown[];
  const [sequence, node, timeMs, organizationId, action, target, actor, requestId, provider, model] =
    values as [number, number, number, string, string, string, string, string, string, string];
  if (typeof sequence !== 'number' || typeof actor !== 'string')
    throw new TypeError('this is no record of a call');
  const isOpened = action === 'call.opened';
  const amount = values[AMOUNT_AT];
  const second = values[AMOUNT_AT + 1];
  return {
    node,
    sequence,
    timeMs,
    action,
    actor,
    target,
    decision: 'allowed',
    requestId,
    organizationId,
    address: isOpened && typeof second === 'string' ? second : undefined,
    costUsd: isOpened ? undefined : String(amount),
    detail: isOpened ? { provider, model, held_usd: amount } : NO_DETAIL,
  };
}
