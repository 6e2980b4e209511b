/** The first start on an empty database: the default organization and project, and one admin key, shown once. */
import { existsSync, rmSync } from 'node:fs';
import { type Id, type Nanos, formatUsd } from '@keyfold/protocol';
import type { AuditLog } from './audit/audit-log.ts';
import type { ProjectStore } from './tenants/project-store.ts';
import type { Clock } from './kernel/clock.ts';
import { createDurableFile } from './kernel/durable-files.ts';
import type { NewId } from './kernel/new-id.ts';
import { EVERY_PERMISSION, ORDINARY } from './keys/key.ts';
import type { KeyIssuer, KeyRules } from './keys/issue-key.ts';
import type { Database } from './storage/database.ts';
import { accountsOf } from './ledger/credit/account.ts';
import type { CreditStore } from './ledger/credit/credit-store.ts';
import { PAR, USD } from './ledger/credit/currency.ts';
import type { SqlStep, Step } from './storage/statement.ts';

const ROTATION_INTERVAL_S = 86_400;

export interface FirstStartParts {
  readonly database: Database;
  readonly projects: ProjectStore;
  readonly issuer: KeyIssuer;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly adminKeyFile: string | undefined;
  readonly credits: CreditStore;
  /** Granted to the new organization. */
  readonly welcomeCredit: Nanos | undefined;
}

/**
 * Returns the admin key when it was made now and is to be printed. Does nothing on a database that has an organization, or
 * that another process prepares at the same time.
 */
export async function prepareFirstStart(
  parts: FirstStartParts,
): Promise<{ readonly adminKey: string | undefined } | undefined> {
  if (await parts.projects.hasOrganizations()) return undefined;
  refuseOverwriting(parts.adminKeyFile);
  const createdAtMs = parts.clock.nowMs();
  const organization = {
    id: parts.newId('organization'),
    name: 'default',
    leakPolicy: 'quarantine',
    createdAtMs,
  } as const;
  const project = {
    id: parts.newId('project'),
    organizationId: organization.id,
    name: 'default',
    createdAtMs,
  };
  const issued = parts.issuer.issue(adminRules({ organizationId: organization.id, projectId: project.id }));
  handOver(parts.adminKeyFile, issued.secret);
  const { committed } = await parts.database.commit({
    steps: [
      claimStep(parts.database, organization.id),
      parts.projects.insertOrganizationStep(organization),
      parts.projects.insertStep(project),
      ...issued.steps,
      ...(parts.welcomeCredit === undefined ? [] : grantSteps(parts, organization.id, parts.welcomeCredit)),
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

/**
 * A new admin key for an installation whose own are lost, quarantined or revoked. Whoever has the root key and the database
 * could do worse; that it was done is recorded.
 */
export async function recoverAdminKey(
  parts: FirstStartParts,
): Promise<{ readonly adminKey: string | undefined }> {
  refuseOverwriting(parts.adminKeyFile);
  const project = await parts.projects.findOldest();
  if (project === undefined) throw new Error('there is no installation to recover: start Keyfold instead');
  const { organizationId } = project;
  const issued = parts.issuer.issue(adminRules({ organizationId, projectId: project.id }));
  const recorded = parts.audit.step({
    action: 'key.created',
    actor: 'system',
    target: issued.key.id,
    decision: 'allowed',
    organizationId,
    detail: { kind: 'admin', permissions: [EVERY_PERMISSION], recovery: true },
  });
  handOver(parts.adminKeyFile, issued.secret);
  try {
    await parts.database.commit({ steps: [...issued.steps, recorded] });
  } catch (error) {
    // Whether the key came to be is not known; one that lies about would keep the next try from writing its own.
    if (parts.adminKeyFile !== undefined) rmSync(parts.adminKeyFile);
    throw error;
  }
  return { adminKey: parts.adminKeyFile === undefined ? issued.secret : undefined };
}

function adminRules(of: Pick<KeyRules, 'organizationId' | 'projectId'>): KeyRules {
  return {
    ...ORDINARY,
    ...of,
    kind: 'admin',
    name: 'admin',
    permissions: [EVERY_PERMISSION],
    models: undefined,
    networks: undefined,
    limits: { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined },
    expiresAtMs: undefined,
    autoRotate: false,
    rotationIntervalS: ROTATION_INTERVAL_S,
    metadata: undefined,
  };
}

function refuseOverwriting(adminKeyFile: string | undefined): void {
  if (adminKeyFile === undefined || !existsSync(adminKeyFile)) return;
  throw new Error(
    `KEYFOLD_ADMIN_KEY_FILE names ${adminKeyFile}, which exists: a new admin key would overwrite it`,
  );
}

/** Written before the commit: a key that exists must be in somebody's hands. */
function handOver(adminKeyFile: string | undefined, secret: string): void {
  if (adminKeyFile !== undefined) createDurableFile(adminKeyFile, `${secret}\n`);
}

/** The credit that a new organization begins with. */
function grantSteps(
  { credits, audit, clock, newId }: FirstStartParts,
  organizationId: Id<'organization'>,
  amount: Nanos,
): Step[] {
  const createdAtMs = clock.nowMs();
  const after = {
    id: newId('creditAccount'),
    organizationId,
    credited: amount,
    entries: 1,
    openedAtMs: createdAtMs,
  };
  const entry = {
    id: newId('creditEntry'),
    organizationId,
    number: 1,
    kind: 'grant',
    amount,
    ...accountsOf('grant', true),
    currency: USD,
    paid: amount,
    usdPerUnit: PAR,
    rateSource: undefined,
    reference: undefined,
    note: 'welcome',
    actor: 'system',
    createdAtMs,
  } as const;
  const recorded = audit.step({
    action: 'credit.entered',
    actor: 'system',
    target: entry.id,
    decision: 'allowed',
    organizationId,
    detail: { kind: entry.kind, amount_usd: formatUsd(amount), from: entry.from, to: entry.to },
  });
  return [...credits.enterSteps(entry, { before: undefined, after }), recorded];
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
