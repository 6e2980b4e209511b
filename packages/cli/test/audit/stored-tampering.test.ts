import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { LogSigner } from '../../../server/test/audit/log-signer.ts';
import { DATABASE_KINDS, type DatabasePlace, newBoot } from '../../../server/test/databases.ts';
import { createRandom } from '../../../server/test/seeded-random.ts';
import { AuditLog } from '../../../server/src/audit/audit-log.ts';
import { renderExportLine } from '../../../server/src/audit/export/export-line.ts';
import { readExport } from '../../../server/src/audit/export/read-export.ts';
import { systemClock } from '../../../server/src/kernel/clock.ts';
import { SqliteDatabase } from '../../../server/src/storage/sqlite/sqlite-database.ts';
import type { Database } from '../../../server/src/storage/database.ts';
import { run } from '../run.ts';
import { chainAgain } from './stored-log.ts';

const RECORDS = 60;
const ROUNDS = 2;
/** When a copy of the files was made. */
const COPIED_AT = 25;
const [SQLITE, POSTGRES] = DATABASE_KINDS;

/** Whoever owns the database: SQL at it, behind the server's back. Parameters are `?` or `$1`, as the database has them. */
type Execute = (sql: string, ...values: (string | number | Buffer)[]) => Promise<unknown>;

interface Row {
  readonly sequence: number;
  readonly record: string;
  readonly head: Buffer;
}

/** Each edits the stored rows; the first bad sequence is returned. `n` is a covered record, not the first or the last. */
const EDITS: Readonly<
  Record<string, (execute: Execute, n: number, rows: readonly Row[]) => Promise<number>>
> = {
  'a record is changed': async (execute, n, rows) => {
    const record = rows[n - 1]?.record.replace('key_', 'kez_') ?? '';
    await execute('update audit_records set record = $1 where sequence = $2', record, n);
    return n;
  },
  'a head is changed': async (execute, n, rows) => {
    const head = Buffer.from(rows[n - 1]?.head ?? '');
    head[7] = (head[7] ?? 0) ^ 4;
    await execute('update audit_records set head = $1 where sequence = $2', head, n);
    return n;
  },
  'a record is deleted': async (execute, n) => {
    await execute('delete from audit_records where sequence = $1', n);
    return n;
  },
  'two are swapped': async (execute, n, rows) => {
    for (const [to, from] of [
      [n, n + 3],
      [n + 3, n],
    ] as const) {
      const row = rows[from - 1];
      await execute(
        'update audit_records set record = $1, head = $2 where sequence = $3',
        row?.record ?? '',
        row?.head ?? '',
        to,
      );
    }
    return n;
  },
  'a forged one is inserted': async (execute, n, rows) => {
    await execute('update audit_records set sequence = -sequence - 1 where sequence >= $1', n);
    await execute('update audit_records set sequence = -sequence where sequence < $1', 0);
    const forged = rows[n - 1]?.record.replace('key_', 'kez_') ?? '';
    const head = rows[n - 1]?.head ?? Buffer.alloc(32);
    await execute(
      'insert into audit_records (sequence, node, at, record, head) values ($1, 1, 1, $2, $3)',
      n,
      forged,
      head,
    );
    return n;
  },
  'the end is cut off': async (execute, n) => {
    await execute('delete from audit_records where sequence >= $1', n);
    return n;
  },
  'the chain is computed anew': async (execute, n, rows) => {
    const records = rows.map(({ record }) => record);
    records[n - 1] = records[n - 1]?.replace('key_', 'kez_') ?? '';
    for (const { sequence, record, head } of chainAgain(records, 1).slice(n - 1)) {
      await execute(
        'update audit_records set record = $1, head = $2 where sequence = $3',
        record,
        head,
        sequence,
      );
    }
    return n;
  },
};

for (const kind of [SQLITE, POSTGRES].filter((each) => each !== undefined)) {
  describe(`a ${kind.name} database that was edited, through export and the command`, () => {
    const signer = new LogSigner();
    const random = createRandom(4_711);
    const folder = mkdtempSync(join(tmpdir(), 'keyfold-edited-'));
    const file = (name: string) => join(folder, name);
    const notes: string[] = [];
    let place: DatabasePlace;
    let rows: readonly Row[];

    before(async () => {
      place = await kind.create();
      let database = await place.open();
      for (let index = 1; index <= RECORDS; index++) {
        await new AuditLog(database, systemClock).record({
          action: 'key.created',
          actor: `key_${index}`,
          target: `key_${index}`,
          decision: 'allowed',
        });
        if (index === COPIED_AT && kind.name === 'sqlite') {
          await database.close();
          cpSync(place.location, file('earlier'), { recursive: true });
          database = await place.open();
        }
        if (index % 10 === 0) notes.push(await signer.checkpoint(database, 1, index));
      }
      rows = (
        await database.read((db) =>
          db.selectFrom('audit_records').select(['sequence', 'record', 'head']).orderBy('sequence'),
        )
      ).map(({ sequence, record, head }) => ({
        sequence: Number(sequence),
        record,
        head: Buffer.from(head),
      }));
      await database.close();
      writeFileSync(file('checkpoints.txt'), notes.map((note) => `${note}\n`).join(''));
    });
    after(async () => {
      await place.remove();
      rmSync(folder, { recursive: true, force: true });
    });

    const verify = async (database: Database) => {
      let text = '';
      for await (const page of readExport(database, {})) text += page.map(renderExportLine).join('');
      await database.close();
      writeFileSync(file('audit.jsonl'), text);
      const { code, stdout } = await run([
        'audit',
        'verify',
        '--records',
        file('audit.jsonl'),
        '--checkpoints',
        file('checkpoints.txt'),
        '--key',
        signer.verifierKey,
        '--json',
      ]);
      const { nodes } = JSON.parse(stdout) as {
        nodes: { first_bad: { sequence: number; through: number; reason: string } | null }[];
      };
      return { code, bad: nodes[0]?.first_bad ?? null };
    };

    test('is intact before', async () => {
      assert.deepEqual(await verify(await place.open()), { code: 0, bad: null });
    });

    for (const [what, edit] of Object.entries(EDITS)) {
      test(`${what}: found out, with the first bad record`, async () => {
        for (let round = 0; round < ROUNDS; round++) {
          const n = 2 + Math.floor(random() * (RECORDS - 6));
          const edited = await (kind.name === 'sqlite' ? editSqlite : editPostgres)(
            place,
            folder,
            (execute) => edit(execute, n, rows),
          );
          const { code, bad } = await verify(edited.database);
          await edited.restore(rows);
          assert.equal(code, 1, `${n}`);
          assert.ok(
            bad !== null && bad.sequence <= edited.first && edited.first <= bad.through,
            JSON.stringify(bad),
          );
          if (bad.reason !== 'rewritten') assert.equal(bad.sequence, edited.first);
          else assert.equal(bad.sequence, Math.floor((n - 1) / 10) * 10 + 1);
        }
      });
    }

    if (kind.name === 'sqlite') {
      test('the whole database is put back to an earlier copy: found out', async () => {
        const earlier = { directory: file('earlier'), boot: newBoot(), nowMs: Date.now };
        const { code, bad } = await verify(await SqliteDatabase.open(earlier));
        assert.deepEqual([code, bad?.sequence, bad?.reason], [1, COPIED_AT + 1, 'truncated']);
      });
    }
  });
}

interface Edited {
  readonly database: Database;
  /** The first bad sequence. */
  readonly first: number;
  restore(rows: readonly Row[]): Promise<void>;
}

type Editing = (
  place: DatabasePlace,
  folder: string,
  edit: (execute: Execute) => Promise<number>,
) => Promise<Edited>;

/** On a copy of the files. */
const editSqlite: Editing = async (place, folder, edit) => {
  const directory = join(folder, 'copy');
  rmSync(directory, { recursive: true, force: true });
  cpSync(place.location, directory, { recursive: true });
  assert.ok(readFileSync(join(directory, 'keyfold.db')).length > 0);
  const db = new DatabaseSync(join(directory, 'keyfold.db'));
  const first = await edit((sql, ...values) =>
    Promise.resolve(db.prepare(sql.replaceAll(/\$\d/g, '?')).run(...values)),
  );
  db.close();
  const database = await SqliteDatabase.open({ directory, boot: newBoot(), nowMs: Date.now });
  return { database, first, restore: () => Promise.resolve() };
};

/** In place; put back afterwards. */
const editPostgres: Editing = async (place, _folder, edit) => {
  const inside = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: place.location });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  const first = await inside((client) => edit((sql, ...values) => client.query(sql, values)));
  return {
    database: await place.open(),
    first,
    restore: (rows) =>
      inside(async (client) => {
        await client.query('delete from audit_records');
        for (const { sequence, record, head } of rows) {
          await client.query(
            'insert into audit_records (sequence, node, at, record, head) values ($1, 1, 1, $2, $3)',
            [sequence, record, head],
          );
        }
      }),
  };
};
