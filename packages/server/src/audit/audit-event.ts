/** Audit events: what is recorded, and its canonical JSON. The bytes stored are the bytes hashed; docs/audit-events.md lists the actions. */
import type { Nanos } from '@keyfold/protocol';
import { formatUsd } from '@keyfold/protocol';
import { renderShort } from './call-record.ts';

/** Every action that Keyfold records. */
export const AUDIT_ACTIONS = [
  'installation.created',
  'process.started',
  'process.stopped',
  'organization.updated',
  'project.created',
  'key.created',
  'key.updated',
  'key.rotated',
  'key.revoked',
  'key.version_end_set',
  'key.version_ending',
  'key.throttled',
  'key.suspended',
  'key.resumed',
  'signing_secret.rotated',
  'signing_secret.end_set',
  'leak.reported',
  'canary.used',
  'budget.set',
  'budget.removed',
  'budget.alerted',
  'credit.entered',
  'credit.rate_set',
  'credit.rate_removed',
  'credential.created',
  'credential.updated',
  'credential.deleted',
  'credential.tested',
  'route.created',
  'route.updated',
  'route.deleted',
  'price.set',
  'prices.imported',
  'audit.archived',
  'audit.hold_set',
  'audit.hold_released',
  'alert_rule.created',
  'alert_rule.updated',
  'alert_rule.deleted',
  'alert.fired',
  'webhook.created',
  'webhook.updated',
  'webhook.rotated',
  'webhook.tested',
  'webhook.disabled',
  'webhook.deleted',
  'call.opened',
  'call.settled',
  'call.released',
  'call.expired',
  'call.corrected',
  'call.replayed',
  'call.refused',
  'control.refused',
  'unauthenticated.refused',
  'audit.inconsistent',
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];
export type AuditFact = string | number | boolean | null | readonly string[];
/** Facts of a change stand under `before` and `after`, with what was and is; anything else by itself. */
export type AuditDetail = Readonly<Record<string, AuditFact | Readonly<Record<string, AuditFact>>>>;

export interface AuditEvent {
  readonly action: AuditAction;
  /** Id of the key that acted, `system` for Keyfold itself, `anonymous` for strangers. */
  readonly actor: string;
  /** Id of what was acted on. */
  readonly target: string;
  readonly decision: 'allowed' | 'denied';
  readonly requestId?: string | undefined;
  readonly organizationId?: string | undefined;
  /** Where the request came from. */
  readonly address?: string | undefined;
  readonly cost?: Nanos | undefined;
  readonly detail?: AuditDetail | undefined;
}

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
