/** Tells, once for each, that the newest version of a key is about to end and was not renewed. */
import type { AuditLog } from '../audit/audit-log.ts';
import type { KeySweep } from '../keys/key-sweep.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export async function alertEndingVersions(rooms: {
  readonly keySweep: KeySweep;
  readonly database: Database;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}): Promise<void> {
  const nowMs = rooms.clock.nowMs();
  rooms.telemetry.versionsEnding(await rooms.keySweep.countEnding(nowMs));
  for (const ending of await rooms.keySweep.listUnalerted(nowMs)) {
    const { versionId, keyId, organizationId, version, expiresAtMs } = ending;
    // The first step is refused where another process was first: then nothing is said twice.
    await rooms.database.commit({
      steps: [
        rooms.keySweep.markAlertedStep(versionId, rooms.clock.nowMs()),
        rooms.audit.step({
          action: 'key.version_ending',
          actor: 'system',
          target: keyId,
          decision: 'allowed',
          organizationId,
          detail: { version, ends_at: new Date(expiresAtMs).toISOString() },
        }),
      ],
    });
  }
}
