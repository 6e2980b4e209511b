/** Which calls are asked for. What a filter says of whose calls they are, it says of their sources. */
import type { Id } from '@keyfold/protocol';
import { type RawBuilder, sql } from 'kysely';

export interface CallFilter {
  readonly organizationId: Id<'organization'>;
  readonly keyId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly credentialId?: string | undefined;
  readonly requestId?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** The condition on `call_sources`, as `s`. */
export function isSource(filter: CallFilter): RawBuilder<boolean> {
  const wanted = {
    organization_id: filter.organizationId,
    key_id: filter.keyId,
    project_id: filter.projectId,
    model: filter.model,
    provider: filter.provider,
    credential_id: filter.credentialId,
  };
  const conditions = Object.entries(wanted).flatMap(([column, value]) =>
    value === undefined ? [] : [sql`${sql.ref(`s.${column}`)} = ${value}`],
  );
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}
