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
  return renderShort(event, timeMs) ?? renderLong(event, timeMs);
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
