/** What the audit log tells of a credential that was changed: of secrets their keyed hashes alone. */
import type { AuditDetail } from '../../audit/audit-event.ts';
import type { CredentialStore, SealedCredential, Secrets } from '../../credentials/credential-store.ts';
import type { Credential } from '../../credentials/credential.ts';
import type { AuditMac } from '../../sealing/audit-mac.ts';
import { describeChange } from '../describe-change.ts';
import { type ViewRooms, renderCredential } from './credential-view.ts';

export interface ReplacementRooms extends ViewRooms {
  readonly credentials: CredentialStore;
  readonly auditMac: AuditMac;
}

export interface Replacement {
  readonly before: SealedCredential;
  readonly next: Credential;
  readonly secrets: Secrets;
  /** What was sent. */
  readonly fields: readonly string[];
}

export function describeReplacement(
  rooms: ReplacementRooms,
  { before, next, secrets, fields }: Replacement,
): AuditDetail {
  const view = (credential: Credential) => renderCredential(rooms, { ...credential, previous: undefined });
  if (!fields.includes('secret')) return describeChange(view(before), view(next));
  return describeChange(
    { ...view(before), secret: hashBefore(rooms, before) },
    { ...view(next), secret: rooms.auditMac.of(secrets.current) },
  );
}

/** A secret that cannot be opened any more must not keep its owner from replacing it. */
function hashBefore({ credentials, auditMac }: ReplacementRooms, before: SealedCredential): string {
  try {
    return auditMac.of(credentials.open(before));
  } catch {
    return 'cannot be opened';
  }
}
