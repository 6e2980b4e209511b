/** The audit event of a step in a call's life. */
import type { AuditAction, AuditDetail, AuditEvent } from '../audit/audit-event.ts';
import type { Reservation } from './reservation.ts';

export function callEvent(action: AuditAction, reservation: Reservation, detail: AuditDetail): AuditEvent {
  const { call } = reservation;
  return {
    action,
    actor: call.keyId,
    target: reservation.id,
    decision: 'allowed',
    requestId: call.requestId,
    organizationId: call.organizationId,
    detail: { provider: call.provider, model: call.model, ...detail },
  };
}
