/** The first start on an empty database: the default organization and project, and one admin key, shown once. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { AuditLog } from './audit/audit-log.ts';
import type { ProjectStore } from './tenants/project-store.ts';
import type { Clock } from './kernel/clock.ts';
import type { NewId } from './kernel/new-id.ts';
import { EVERY_PERMISSION } from './keys/key.ts';
import type { KeyIssuer } from './keys/issue-key.ts';
import type { Database } from './storage/database.ts';
import type { SqlStep } from './storage/statement.ts';

const ROTATION_INTERVAL_S = 86_400;

export interface FirstStartParts {
  readonly database: Database;
  readonly projects: ProjectStore;
  readonly issuer: KeyIssuer;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly adminKeyFile: string | undefined;
}

/**
 * Returns the admin key when it was made now and is to be printed. Does nothing on a database that has an organization, or
 * that another process prepares at the same time.
 */
export async function prepareFirstStart(
  parts: FirstStartParts,
): Promise<{ readonly adminKey: string | undefined } | undefined> {
  if (await parts.projects.hasOrganizations()) return undefined;
  if (parts.adminKeyFile !== undefined && existsSync(parts.adminKeyFile)) {
    throw new Error(
      `KEYFOLD_ADMIN_KEY_FILE names ${parts.adminKeyFile}, which exists: a new admin key would overwrite it`,
    );
  }
  const createdAtMs = parts.clock.nowMs();
  const organization = { id: parts.newId('organization'), name: 'default', createdAtMs };
  const project = {
    id: parts.newId('project'),
    organizationId: organization.id,
    name: 'default',
    createdAtMs,
  };
  const issued = parts.issuer.issue({
    organizationId: organization.id,
    projectId: project.id,
    kind: 'admin',
    name: 'first admin',
    permissions: [EVERY_PERMISSION],
    models: undefined,
    networks: undefined,
    limits: { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined },
    expiresAtMs: undefined,
    autoRotate: false,
    rotationIntervalS: ROTATION_INTERVAL_S,
    metadata: undefined,
  });
  // Written before the commit: a key that exists must be in somebody's hands.
  if (parts.adminKeyFile !== undefined)
    writeFileSync(parts.adminKeyFile, `${issued.secret}\n`, { mode: 0o600, flag: 'wx' });
  const { committed } = await parts.database.commit({
    steps: [
      claimStep(parts.database, organization.id),
      parts.projects.insertOrganizationStep(organization),
      parts.projects.insertStep(project),
      ...issued.steps,
      parts.audit.step({
        action: 'installation.created',
        actor: 'system',
        target: organization.id,
        decision: 'allowed',
        organizationId: organization.id,
        detail: { project: project.id, admin_key: issued.key.id },
      }),
    ],
  });
  if (!committed) {
    if (parts.adminKeyFile !== undefined) rmSync(parts.adminKeyFile);
    return undefined;
  }
  return { adminKey: parts.adminKeyFile === undefined ? issued.secret : undefined };
}

/** Refused when another process was first. */
function claimStep(database: Database, organizationId: string): SqlStep {
  return database.step(
    (db) =>
      db
        .insertInto('facts')
        .values({ name: 'installation', value: organizationId })
        .onConflict((conflict) => conflict.doNothing()),
    'changes-row',
  );
}
