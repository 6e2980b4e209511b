/** Torture: what the calls of a walk have in common: the ledger looks at their money alone. */
import type { Id } from '@keyfold/protocol';
import type { Reservation } from '../../src/ledger/reservation.ts';
import type { Database } from '../../src/storage/database.ts';

const ORGANIZATION = 'org_00000000' as Id<'organization'>;

export const CALL: Reservation['call'] = {
  organizationId: ORGANIZATION,
  projectId: 'prj_00000000' as Id<'project'>,
  keyId: 'key_00000000' as Id<'key'>,
  keyVersion: 1,
  requestId: 'req_00000000000000000000000000',
  endpoint: 'chat.completions',
  provider: 'sandbox',
  model: 'echo',
  credentialId: undefined,
  streamed: false,
  attempt: 1,
  route: undefined,
};

export const RESOLUTION = {
  usage: {
    inputTokens: 1,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 1,
    reasoningTokens: 0,
    provenance: 'provider',
  },
  status: 200,
  error: undefined,
  flags: [],
} as const;

export async function makeOrganization(database: Database): Promise<void> {
  const row = { id: ORGANIZATION, name: 'o', created_at: 0, revision: 1 };
  const step = database.step((db) =>
    db
      .insertInto('organizations')
      .values(row)
      .onConflict((conflict) => conflict.doNothing()),
  );
  await database.commit({ steps: [step] });
}
