/**
 * Lets a finding fire: the firing, what is done to the key, the audit records and one delivery for each webhook in one commit.
 * What is not recorded is not done, and nobody is told of it.
 */
import type { Id } from '@keyfold/protocol';
import { breakerAfter, describeBreaker, type Done } from '../alerts/break-key.ts';
import type { DeliveryStore } from '../alerts/delivery-store.ts';
import type { Firing, FiringStore } from '../alerts/firing-store.ts';
import { isKeyId } from '../alerts/judge-event.ts';
import { type Finding, type Rule, renderVersion } from '../alerts/rule.ts';
import type { RuleStore } from '../alerts/rule-store.ts';
import type { SightingStore } from '../alerts/sighting-store.ts';
import type { WebhookStore } from '../alerts/webhook-store.ts';
import type { AuditDetail } from '../audit/audit-event.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { NewId } from '../kernel/new-id.ts';
import type { Breaker, Key } from '../keys/key.ts';
import type { KeyStore } from '../keys/key-store.ts';
import type { Database } from '../storage/database.ts';
import type { Step } from '../storage/statement.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ProjectStore } from '../tenants/project-store.ts';

/** The key may be changed, or another process fire, while this is decided. */
const ROUNDS_MAX = 10;

export interface FireRooms {
  readonly database: Database;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly keys: KeyStore;
  readonly projects: ProjectStore;
  readonly alertRules: RuleStore;
  readonly firings: FiringStore;
  readonly sightings: SightingStore;
  readonly webhooks: WebhookStore;
  readonly deliveries: DeliveryStore;
  readonly telemetry: Telemetry;
  readonly authenticator: { forget(): void };
}

/**
 * Resolves once it has fired, or need not: it has fired about the same before, or the rule is no more, or no more the one by
 * which it was found. Else throws.
 */
export async function fireAlert(rooms: FireRooms, finding: Finding): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) if (await tryToFire(rooms, finding)) return;
  throw new Fault('unavailable', { internal: `rule ${finding.rule.id} could not fire: others were faster` });
}

async function tryToFire(rooms: FireRooms, finding: Finding): Promise<boolean> {
  const { rule, subject, sighting } = finding;
  const current = await rooms.alertRules.find(rule.id);
  const last = await rooms.firings.findLast(rule.id, subject);
  const remembered = sighting === undefined ? [] : rooms.sightings.rememberSteps(sighting);
  // What was found by a rule as it was before is nothing that the rule as it is now may act on.
  const isHeld = current?.isEnabled === true && current.updatedAtMs === rule.updatedAtMs;
  if (!isHeld || isInPause(current, { last, atMs: finding.atMs })) {
    if (remembered.length > 0) await rooms.database.commit({ steps: remembered });
    return true;
  }
  // A key whose row was edited is refused everywhere: it is told of, and not written.
  const found = isKeyId(subject) ? await rooms.keys.findKey(rule.organizationId, subject) : undefined;
  const key = found === 'tampered' ? undefined : found;
  const nowMs = rooms.clock.nowMs();
  const breaker = key === undefined ? undefined : breakerAfter(key, current, nowMs);
  const done: Done = breaker?.state ?? 'none';
  const firing: Firing = {
    id: rooms.newId('firing'),
    organizationId: rule.organizationId,
    ruleId: rule.id,
    subject,
    number: (last?.number ?? 0) + 1,
    atMs: finding.atMs,
    clearedAtMs: undefined,
    detail: {
      rule: current.name,
      kind: current.when.kind,
      rule_updated_at: renderVersion(current),
      done,
      ...finding.measured,
      request_ids: finding.requestIds,
    },
  };
  const steps: Step[] = [
    rooms.firings.insertStep(firing),
    ...(key === undefined || breaker === undefined ? [] : breakSteps(rooms, key, breaker)),
    rooms.audit.step(firedEvent(firing, finding)),
    ...(await deliverySteps(rooms, { firing, rule: current, nowMs })),
    ...remembered,
  ];
  const { committed } = await rooms.database.commit({ steps });
  if (!committed) return false;
  if (breaker !== undefined) rooms.authenticator.forget();
  rooms.telemetry.alertFired(current.when.kind, done);
  return true;
}

/** It has fired about this a moment ago, as it is now, and nobody has resumed the key since. */
function isInPause(rule: Rule, of: { readonly last: Firing | undefined; readonly atMs: number }): boolean {
  const { last, atMs } = of;
  if (last === undefined) return false;
  if (last.clearedAtMs !== undefined) return atMs <= last.clearedAtMs;
  if (last.detail['rule_updated_at'] !== renderVersion(rule)) return false;
  return atMs < last.atMs + rule.cooldownS * 1_000;
}

/** The revision is raised: calls that are being decided are decided again, and no cache knows the key as it was. */
function breakSteps(rooms: FireRooms, key: Key, breaker: Breaker): Step[] {
  return [
    rooms.keys.updateStep({ ...key, breaker }),
    rooms.projects.reviseStep(key.organizationId),
    rooms.audit.step({
      action: breaker.state === 'suspended' ? 'key.suspended' : 'key.throttled',
      actor: 'system',
      target: key.id,
      decision: 'allowed',
      organizationId: key.organizationId,
      detail: { before: describeBreaker(key.breaker), after: describeBreaker(breaker) },
    }),
  ];
}

function firedEvent(firing: Firing, { rule, measured, requestIds }: Finding) {
  const detail: AuditDetail = {
    rule: rule.name,
    kind: rule.when.kind,
    rule_updated_at: renderVersion(rule),
    subject: firing.subject,
    found_at: new Date(firing.atMs).toISOString(),
    firing_id: firing.id,
    ...measured,
    done: String(firing.detail['done']),
    request_ids: requestIds,
  };
  return {
    action: 'alert.fired',
    actor: 'system',
    target: rule.id,
    decision: 'allowed',
    organizationId: rule.organizationId,
    detail,
  } as const;
}

/** One for each webhook of the rule that is there and takes deliveries. */
async function deliverySteps(
  rooms: FireRooms,
  of: { readonly firing: Firing; readonly rule: Rule; readonly nowMs: number },
): Promise<Step[]> {
  const { firing, rule, nowMs } = of;
  if (rule.webhookIds.length === 0) return [];
  const { organizationId, id: firingId } = firing;
  const enabled = await rooms.webhooks.listEnabled(organizationId, (error) =>
    rooms.telemetry.jobFailed('fire alerts', error),
  );
  const { rule: name, kind, rule_updated_at: _version, ...told } = firing.detail;
  const body = JSON.stringify({
    type: 'alert.fired',
    timestamp: new Date(firing.atMs).toISOString(),
    data: { firing_id: firingId, rule: { id: rule.id, name, kind }, ...subjectOf(firing.subject), ...told },
  });
  return enabled
    .filter(({ id }) => rule.webhookIds.includes(id))
    .map(({ id: webhookId }) =>
      rooms.deliveries.insertStep(
        { id: rooms.newId('message'), organizationId, webhookId, firingId, body },
        nowMs,
      ),
    );
}

function subjectOf(subject: string) {
  return isKeyId(subject) ? { key_id: subject as Id<'key'> } : { subject };
}
