import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, afterEach, beforeEach, describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import { sql } from 'kysely';
import { readVerifierKey } from '../../../cli/src/audit/verify/checkpoint-book.ts';
import { runVerification } from '../../../cli/src/audit/verify/run-verification.ts';
import { HoldStore } from '../../src/audit/archive/hold-store.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { renderExportLine } from '../../src/audit/export/export-line.ts';
import { readExport } from '../../src/audit/export/read-export.ts';
import {
  type ArchiveAuditOptions,
  type ArchiveStage,
  archiveOldAudit,
} from '../../src/jobs/archive-audit.ts';
import { CheckpointKey } from '../../src/sealing/checkpoint-key.ts';
import { RootKey } from '../../src/sealing/root-key.ts';
import { RowMac } from '../../src/sealing/row-mac.ts';
import type { Database } from '../../src/storage/database.ts';
import { DATABASE_KINDS, type DatabasePlace } from '../databases.ts';
import { ManualClock } from '../manual-clock.ts';
import { LogSigner } from './log-signer.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const DAYS = 8;
const RECORDS_PER_DAY = 120;
const KEPT_DAYS = 3;
/** Five days are older than three, at the end of the eighth. */
const ARCHIVED = 5 * RECORDS_PER_DAY;
const HOLD = {
  id: 'hld_1' as Id<'auditHold'>,
  organizationId: 'org_1' as Id<'organization'>,
  reason: 'case 1',
  createdBy: 'key_1',
  createdAtMs: START_MS,
};

class Killed extends Error {}

for (const kind of DATABASE_KINDS) {
  describe(`archiving the audit log on ${kind.name}`, () => {
    const rootKey = new RootKey(Buffer.alloc(32, 1));
    const checkpointKey = new CheckpointKey(rootKey);
    const signer = new LogSigner(undefined, checkpointKey);
    let place: DatabasePlace;
    let folder: string;
    let clock: ManualClock;
    let notes: string[];
    let house: Awaited<ReturnType<typeof open>>;

    const open = async () => {
      const database = await place.open({ nowMs: () => clock.nowMs() });
      const audit = new AuditLog(database, clock);
      const mac = new RowMac(rootKey);
      return { database, audit, clock, mac, checkpointKey, auditHolds: new HoldStore({ database, mac }) };
    };

    beforeEach(async () => {
      place = await kind.create();
      folder = mkdtempSync(join(tmpdir(), 'keyfold-archive-'));
      clock = new ManualClock(START_MS);
      house = await open();
      notes = [];
      for (let day = 0; day < DAYS; day++) {
        const steps = Array.from({ length: RECORDS_PER_DAY }, (_, index) =>
          house.audit.step(eventOf(`${day}-${index}`)),
        );
        await house.database.commit({ steps });
        notes.push(await signer.checkpoint(house.database, 1, clock.nowMs()));
        clock.advance(DAY_MS);
      }
      await house.audit.record(eventOf('the last'));
    });
    afterEach(async () => {
      await house.database.close();
      await place.remove();
      rmSync(folder, { recursive: true, force: true });
    });

    const archive = (options: Partial<ArchiveAuditOptions> = {}, rooms = house) =>
      archiveOldAudit(rooms, {
        keptDays: KEPT_DAYS,
        folder,
        isStopping: () => false,
        pause: () => Promise.resolve(),
        ...options,
      });
    const manifest = () =>
      readFileSync(join(folder, 'manifest.jsonl'), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);

    /** Archive and database together, as somebody outside would verify them. */
    const verify = async () => {
      const [records, checkpoints] = [join(folder, 'export'), join(folder, 'checkpoints')];
      let text = '';
      for await (const rows of readExport(house.database, {})) text += rows.map(renderExportLine).join('');
      writeFileSync(records, text);
      writeFileSync(checkpoints, notes.map((note) => `${note}\n`).join(''));
      const key = readVerifierKey(signer.verifierKey);
      const hasArchive = readdirSync(folder).includes('manifest.jsonl');
      return runVerification({
        records: [...(hasArchive ? [folder] : []), records],
        checkpoints: [checkpoints],
        keys: key === undefined ? [] : [key],
        isPart: false,
      });
    };
    const assertWhole = async () => {
      const report = await verify();
      assert.equal(report.result, 'intact', JSON.stringify(report));
      const [chain] = report.nodes;
      const { last = 0 } = chain ?? {};
      assert.deepEqual([chain?.first, chain?.records, chain?.matched], [1, last, DAYS]);
      assert.ok(last > DAYS * RECORDS_PER_DAY);
    };
    const keptFirst = async () => {
      const [row] = await house.database.read((db) =>
        db.selectFrom('audit_records').select((eb) => eb.fn.min('sequence').as('first')),
      );
      return Number(row?.first);
    };

    test('what is old goes to a file that verifies, with the rest and alone, and its root stays', async () => {
      let pauses = 0;
      await archive({ pause: () => Promise.resolve(void pauses++) });
      assert.equal(await keptFirst(), ARCHIVED + 1);
      assert.ok(pauses >= ARCHIVED / 200 - 1, 'in more than one commit');
      await assertWhole();
      const [entry = {}, ...more] = manifest();
      assert.deepEqual([entry['first'], entry['last'], more.length], [1, ARCHIVED, 0]);
      assert.equal(entry['note'], notes[4]);
      assert.equal(statSync(join(folder, String(entry['file']))).mode & 0o777, 0o600);
      const [root] = await house.database.read((db) => db.selectFrom('audit_archives').selectAll());
      assert.deepEqual(
        [root?.last, root?.head, root?.sha256],
        [BigInt(ARCHIVED), entry['head'], entry['sha256']],
      );
      const [event] = await house.database.read((db) =>
        db.selectFrom('audit_records').select('record').orderBy('sequence', 'desc').limit(1),
      );
      assert.match(event?.record ?? '', /"action":"audit\.archived","target":"node-1-000000000000001-/);
      await archive();
      assert.equal(manifest().length, 1, 'nothing is archived twice');
      clock.advance(2 * DAY_MS);
      await archive();
      assert.deepEqual(
        manifest().map(({ first, last }) => [first, last]),
        [
          [1, ARCHIVED],
          [ARCHIVED + 1, ARCHIVED + 2 * RECORDS_PER_DAY],
        ],
      );
      await assertWhole();
    });

    test('an export that archiving overtakes breaks off, and one of a time begins behind a checkpoint', async () => {
      const overtaken = readExport(house.database, {});
      assert.equal((await overtaken.next()).done, false);
      await archive();
      await assert.rejects(overtaken.next(), /archived during an export/);
      const fromMs = START_MS + 6 * DAY_MS + 1;
      for await (const [first] of readExport(house.database, { fromMs })) {
        assert.equal(first?.sequence, 7 * RECORDS_PER_DAY + 1);
        break;
      }
      const own = { fromMs, toMs: fromMs + DAY_MS, organizationId: 'org_none' };
      for await (const rows of readExport(house.database, own)) assert.deepEqual(rows, []);
    });

    test('the last record of a chain stays, and what no checkpoint covers', async () => {
      notes.push(await signer.checkpoint(house.database, 1, clock.nowMs()));
      clock.advance(100 * DAY_MS);
      await archive({ keptDays: 1 });
      // That of the first segment is then the last of all, and stays in the place of the one that was.
      assert.equal(await keptFirst(), DAYS * RECORDS_PER_DAY + 2);
      assert.deepEqual(
        manifest().map(({ last }) => last),
        [DAYS * RECORDS_PER_DAY, DAYS * RECORDS_PER_DAY + 1],
      );
    });

    for (const stage of ['file', 'manifest', 'recorded', 'removed'] as const satisfies ArchiveStage[]) {
      test(`a process that dies after '${stage}' loses nothing and doubles nothing`, async () => {
        const onStage = (done: ArchiveStage) => {
          if (done === stage) throw new Killed();
        };
        await assert.rejects(archive({ onStage }), Killed);
        await assertWhole();
        // What dies gives up no lease, and may leave half a line.
        await setArchiver(house.database, house.database.boot);
        if (stage === 'file') appendFileSync(join(folder, 'manifest.jsonl'), '{"node":1,"first":1,"la');
        await house.database.close();
        house = await open();
        await archive();
        assert.equal(manifest().length, 1);
        assert.equal(await keptFirst(), ARCHIVED + 1);
        await assertWhole();
        const files = readdirSync(folder).filter((name) => name.startsWith('node-'));
        assert.equal(files.length, 1);
        const roots = await house.database.read((db) => db.selectFrom('audit_archives').select('last'));
        assert.equal(roots.length, 1);
      });
    }

    test('while there is a hold nothing goes, and one that comes in the middle stops what is under way', async () => {
      let commits = 0;
      const pause = async () => {
        commits++;
        if (commits === 1) await house.database.commit({ steps: house.auditHolds.setSteps(HOLD) });
      };
      await archive({ pause });
      const stopped = await keptFirst();
      assert.ok(stopped > 1 && stopped < ARCHIVED, String(stopped));
      await archive();
      assert.equal(await keptFirst(), stopped);
      await assertWhole();
      const hold = await house.auditHolds.find(HOLD.organizationId, HOLD.id);
      assert.ok(hold?.isEdited === false);
      const by = { releasedBy: 'key_2', releasedAtMs: clock.nowMs() };
      await house.database.commit({ steps: [house.auditHolds.releaseStep(hold, by)] });
      await archive();
      assert.equal(await keptFirst(), ARCHIVED + 1);
      await assertWhole();
    });

    test('a hold that was released in the database alone still holds', async () => {
      await house.database.commit({ steps: house.auditHolds.setSteps(HOLD) });
      await house.database.commit({
        steps: [
          house.database.step((db) =>
            db.updateTable('audit_holds').set({ released_at: 1, released_by: 'key_thief' }),
          ),
        ],
      });
      await archive();
      assert.equal(await keptFirst(), 1);
    });

    test('rows that are not what was signed stay where they are', async () => {
      await house.database.commit({
        steps: [
          house.database.step((db) =>
            db
              .updateTable('audit_records')
              .set({ record: sql`replace(record, 'target":"2-100"', 'target":"2-101"')` })
              .where('sequence', '=', 341n),
          ),
        ],
      });
      await assert.rejects(archive(), /tampered with: node 1, record 341/);
      assert.equal(await keptFirst(), 1);
      assert.deepEqual(
        readdirSync(folder).filter((name) => !name.endsWith('.partial')),
        [],
      );
      const { nodes } = await verify();
      assert.deepEqual(nodes[0]?.bad, { sequence: 341, reason: 'changed' });
    });

    const change = (build: Parameters<Database['step']>[0]) =>
      house.database.commit({ steps: [house.database.step(build)] });

    test('a segment that another key has signed stays where it is', async () => {
      const forged = new LogSigner(signer.name);
      const [end] = await house.database.read((db) =>
        db.selectFrom('audit_records').select('head').where('sequence', '=', BigInt(ARCHIVED)),
      );
      const note = forged.sign({ node: 1, sequence: ARCHIVED, head: end?.head ?? assert.fail() });
      await change((db) =>
        db.updateTable('audit_checkpoints').set({ note }).where('size', '=', BigInt(ARCHIVED)),
      );
      await assert.rejects(archive(), /tampered with: node 1, the checkpoint of 600 was not signed/);
      assert.equal(await keptFirst(), 1);
      assert.deepEqual(readdirSync(folder), []);
    });

    test('a root that was written into the database alone removes nothing', async () => {
      const root = { node: 1, first: 1, last: 900, head: 'x', sha256: 'x', file: 'x', at: 1 };
      await change((db) => db.insertInto('audit_archives').values({ ...root, mac: 'x' }));
      await assert.rejects(archive(), /archived up to 900 was edited/);
      assert.equal(await keptFirst(), 1);
    });

    test('what counts as archived is removed only if the archive has it', async () => {
      const onStage = (done: ArchiveStage) => {
        if (done === 'recorded') throw new Killed();
      };
      await assert.rejects(archive({ onStage }), Killed);
      const left = await keptFirst();
      const [entry] = manifest();
      appendFileSync(join(folder, String(entry?.['file'])), 'x');
      await assert.rejects(archive(), /count as archived up to 600, and the archive does not have them/);
      assert.equal(await keptFirst(), left);
    });

    test('a disk that takes only a part of each write loses nothing', async (context) => {
      await mockWrites(context, (write, bytes, from, length) => write(bytes, from, Math.min(length, 1_000)));
      await archive();
      const [entry] = manifest();
      assert.equal(statSync(join(folder, String(entry?.['file']))).size, entry?.['bytes']);
      assert.equal(await keptFirst(), ARCHIVED + 1);
      await assertWhole();
    });

    test('a file that is not what was to be written takes no row with it', async (context) => {
      await mockWrites(context, async (write, bytes, from, length) => ({
        ...(await write(bytes, from, length - 1)),
        bytesWritten: length,
      }));
      await assert.rejects(archive(), /not what was written/);
      assert.equal(await keptFirst(), 1);
      assert.deepEqual(readdirSync(folder), []);
    });

    if (kind.name === 'postgres') {
      test('a node whose rows were changed does not keep the others', async (context) => {
        const other = await open();
        context.after(() => other.database.close());
        await other.audit.record(eventOf('of another node'));
        await signer.checkpoint(other.database, 2, clock.nowMs());
        await other.audit.record(eventOf('the last of another node'));
        await change((db) =>
          db.updateTable('audit_records').set({ record: '{}' }).where('sequence', '=', 7n),
        );
        clock.advance(5 * DAY_MS);
        await assert.rejects(archive(), /tampered with: node 1, record 7/);
        assert.deepEqual(
          manifest().map(({ node, last }) => [node, last]),
          [[2, 1]],
        );
      });

      test('of several processes one archives at a time, every node, and each segment once', async (context) => {
        const other = await open();
        context.after(() => other.database.close());
        await other.audit.record(eventOf('of another node'));
        await other.audit.record(eventOf('of another node'));
        const note = await signer.checkpoint(other.database, 2, clock.nowMs());
        await other.audit.record(eventOf('the last of another node'));
        clock.advance(5 * DAY_MS);
        await Promise.all([archive({}, house), archive({}, other)]);
        await archive({}, other);
        const segments = manifest().map(
          (of) => `${String(of['node'])}: ${String(of['first'])}-${String(of['last'])}`,
        );
        assert.deepEqual(segments.toSorted(), [`1: 1-${DAYS * RECORDS_PER_DAY}`, '2: 1-2']);
        notes.push(note);
        assert.equal((await verify()).result, 'intact');
      });
    }
  });
}

type Write = (bytes: Uint8Array, from: number, length: number) => Promise<{ bytesWritten: number }>;

/** Every file handle of this process writes like that until the test ends. */
async function mockWrites(
  context: TestContext,
  instead: (write: Write, ...of: Parameters<Write>) => ReturnType<Write>,
): Promise<void> {
  const handle = await openFile('/dev/null', 'w');
  await handle.close();
  const every = Object.getPrototypeOf(handle) as { write: Write };
  const { write } = every;
  context.mock.method(every, 'write', function (this: unknown, bytes: Uint8Array, from = 0, length?: number) {
    return instead(write.bind(this), bytes, from, length ?? bytes.length - from);
  });
}

function eventOf(target: string) {
  return { action: 'project.created', actor: 'key_1', target, decision: 'allowed' } as const;
}

async function setArchiver(database: Database, boot: string): Promise<void> {
  await database.commit({
    steps: [
      database.step((db) =>
        db.updateTable('facts').set({ value: boot }).where('name', '=', 'audit_archiver'),
      ),
    ],
  });
}
