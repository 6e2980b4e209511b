/** Writes an event as the canonical JSON of its record: the bytes stored are the bytes hashed. */
import { formatUsd } from '@keyfold/protocol';
import type { AuditEvent } from './audit-event.ts';
import { renderShort } from './call-record.ts';

/** The record without its opening: the writer puts sequence and node first, when its place in a chain is known. */
export function renderEvent(event: AuditEvent, timeMs: number): string {
  const text = renderShort(event, timeMs) ?? renderLong(event, timeMs);
  return UNSEEN.test(text) ? text.replace(EVERY_UNSEEN, escapeCharacter) : text;
}

/**
 * What JSON leaves as it is, although it is seen as something else or not at all: controls of the upper range, marks that turn
 * the direction of writing, separators that some take for the end of a line.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const EVERY_UNSEEN = new RegExp(UNSEEN, 'gu');

function escapeCharacter(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

function renderLong(event: AuditEvent, timeMs: number): string {
  let text = `"time":"${renderTime(timeMs)}","actor":${quote(event.actor)}`;
  text += `,"action":"${event.action}","target":${quote(event.target)},"decision":"${event.decision}"`;
  if (event.requestId !== undefined) text += `,"request_id":${quote(event.requestId)}`;
  if (event.organizationId !== undefined) text += `,"organization_id":${quote(event.organizationId)}`;
  if (event.address !== undefined) text += `,"address":${quote(event.address)}`;
  if (event.cost !== undefined) text += `,"cost_usd":"${formatUsd(event.cost)}"`;
  if (event.detail !== undefined) text += `,"detail":${JSON.stringify(event.detail)}`;
  return `${text}}`;
}

let lastMs = Number.NaN;
let lastText = '';

/** Many records share a millisecond, and rendering a time costs more than the rest of a record. */
function renderTime(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
}

/** JSON escapes control characters and lone surrogates, so a record is always one line of valid UTF-8. */
function quote(text: string): string {
  return JSON.stringify(text);
}
