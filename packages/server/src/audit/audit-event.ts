/** Audit events: what is recorded, and its canonical JSON. The bytes stored are the bytes hashed; docs/audit-events.md lists the actions. */
import type { Nanos } from '@keyfold/protocol';

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
