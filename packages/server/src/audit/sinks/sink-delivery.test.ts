import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DATABASE_KINDS, type DatabasePlace } from '../../../test/databases.ts';
import { ManualClock } from '../../../test/manual-clock.ts';
import type { SinkRefusal } from '../../config/index.ts';
import { Fault } from '../../kernel/fault.ts';
import { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import { RootKey } from '../../sealing/root-key.ts';
import type { ChainPoint } from '../../storage/chain-memory.ts';
import type { Database } from '../../storage/database.ts';
import { CheckpointStore, type StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';
import type { Inconsistency } from '../checkpoints/fold-chain.ts';
import type { AuditSink, SinkName, SinkOutcome } from './audit-sink.ts';
import { AuditSinks } from './audit-sinks.ts';

const LAG_MS = 900_000;
const key = new CheckpointKey(new RootKey(Buffer.alloc(32, 1)));
const HEAD = Buffer.alloc(32, 7);

function checkpointOf(node: number, size: number, atMs: number): StoredCheckpoint {
  return { node, size, atMs, head: HEAD.toString('base64'), note: key.sign({ node, size, head: HEAD }) };
}

/** A sink that does as it is told; `null` takes everything. */
class ToldSink implements AuditSink {
  readonly name: SinkName;
  readonly takesAll: boolean;
  readonly got: number[] = [];
  tries = 0;
  answer: ((page: readonly StoredCheckpoint[]) => Promise<SinkOutcome>) | null = null;

  constructor(name: SinkName, takesAll = true) {
    this.name = name;
    this.takesAll = takesAll;
  }

  async deliver(page: readonly StoredCheckpoint[]): Promise<SinkOutcome> {
    this.tries++;
    const outcome = (await this.answer?.(page)) ?? { delivered: page.length, problem: undefined };
    this.got.push(...page.slice(0, outcome.delivered).map(({ size }) => size));
    return outcome;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const down = () => Promise.resolve({ delivered: 0, problem: 'refused' });

for (const kind of DATABASE_KINDS) {
  describe(`delivery to sinks, on ${kind.name}`, () => {
    let place: DatabasePlace;
    let database: Database;
    let clock: ManualClock;
    let told: string[];
    let overdueMs: number;
    let signed: ChainPoint | undefined;
    let found: Inconsistency[];
    beforeEach(async () => {
      place = await kind.create();
      clock = new ManualClock();
      database = await place.open({ nowMs: () => clock.nowMs() });
      told = [];
      overdueMs = 0;
      signed = undefined;
      found = [];
    });
    afterEach(async () => {
      await database.close();
      await place.remove();
    });
    const openSinks = (...sinks: AuditSink[]) => openRefusing('everything', ...sinks);
    const openRefusing = (refuses: SinkRefusal, ...sinks: AuditSink[]) =>
      new AuditSinks(sinks, {
        database,
        store: new CheckpointStore(database),
        clock,
        lagMs: LAG_MS,
        refuses,
        key,
        checkpointer: {
          get signed() {
            return signed;
          },
          isInconsistent: (node) => found.some((of) => of.node === node),
          contradict: async (of) => void found.push(of),
          watchOverdueMs: () => overdueMs,
        },
        onProblem: (sink, problem) => void told.push(`${sink}: ${problem}`),
        onPending: () => undefined,
      });
    const sign = async (from: number, to: number, node = 1) => {
      const store = new CheckpointStore(database);
      const atMs = clock.nowMs();
      const steps = Array.from({ length: to - from + 1 }, (_, index) =>
        store.insertStep(checkpointOf(node, from + index, atMs)),
      );
      assert.deepEqual(await database.commit({ steps }), { committed: true });
      if (node === 1) signed = { node, sequence: to, head: HEAD.toString('base64url') };
    };
    const edit = (text: string) => database.commit({ steps: [{ sql: text, values: [] }] });
    const turn = (sinks: AuditSinks) => Promise.all(sinks.deliveries.map((delivery) => delivery.run()));
    const range = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, index) => from + index);

    test('brings every checkpoint once, in order, and goes on after a restart where it was', async () => {
      const sink = new ToldSink('file');
      const sinks = openSinks(sink);
      await sign(1, 250);
      await turn(sinks);
      assert.deepEqual(sink.got, range(1, 250));
      await turn(sinks);
      assert.equal(sink.tries, 3, 'nothing is looked for before its time');
      await database.close();
      database = await place.open();
      await sign(251, 260);
      const next = new ToldSink('file');
      await turn(openSinks(next));
      assert.deepEqual(next.got, range(251, 260));
      const [status] = await openSinks(next).statuses();
      assert.deepEqual([status?.pending, status?.nodes[0]?.size], [0, 260]);
    });

    test('what a sink has for certain is not brought again, and the rest is, after pauses that grow to a bound', async () => {
      const sink = new ToldSink('webhook');
      sink.answer = () => Promise.resolve({ delivered: 2, problem: 'the receiver answered 500' });
      const sinks = openSinks(sink);
      await sign(1, 5);
      await turn(sinks);
      assert.deepEqual(sink.got, [1, 2]);
      sink.answer = down;
      const pauses: number[] = [];
      for (let tries = sink.tries, waitedMs = 0; pauses.length < 7;) {
        clock.advance(50);
        waitedMs += 50;
        sinks.wake();
        await turn(sinks);
        if (sink.tries === tries) continue;
        pauses.push(waitedMs);
        [tries, waitedMs] = [sink.tries, 0];
      }
      assert.deepEqual(pauses, [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]);
      assert.deepEqual(told, ['webhook: the receiver answered 500'], 'a log that repeats itself is not read');
      assert.equal((await sinks.statuses())[0]?.lastError, 'refused');
      sink.answer = null;
      clock.advance(4_000);
      await turn(sinks);
      assert.deepEqual(sink.got, [1, 2, 3, 4, 5]);
      const [status] = await sinks.statuses();
      assert.deepEqual([status?.lastError, status?.lastSuccessMs], [undefined, clock.nowMs()]);
    });

    test('a sink that does not answer keeps no other waiting', async () => {
      const [deaf, heard] = [new ToldSink('syslog'), new ToldSink('file')];
      const hanging = Promise.withResolvers<SinkOutcome>();
      deaf.answer = () => hanging.promise;
      const sinks = openSinks(deaf, heard);
      await sign(1, 3);
      const waiting = sinks.deliveries[0]?.run();
      await sinks.deliveries[1]?.run();
      assert.deepEqual([deaf.got, heard.got], [[], [1, 2, 3]]);
      hanging.resolve({ delivered: 3, problem: undefined });
      await waiting;
      assert.deepEqual(deaf.got, [1, 2, 3]);
    });

    test('changes and calls are refused once a sink has heard nothing for too long, and no longer than that', async () => {
      const sink = new ToldSink('webhook');
      sink.answer = down;
      const sinks = openSinks(new ToldSink('file'), sink);
      await sign(1, 1);
      sinks.watch();
      await turn(sinks);
      clock.advance(LAG_MS);
      await turn(sinks);
      sinks.assertKeepingUp();
      clock.advance(1);
      const isOfWebhook = (fault: unknown) =>
        fault instanceof Fault && fault.code === 'unavailable' && /'webhook'/.test(fault.publicDetail ?? '');
      sinks.assertServing();
      assert.throws(() => sinks.assertKeepingUp(), isOfWebhook);
      assert.throws(() => sinks.assertServing(), isOfWebhook, 'calls as of the last look');
      sink.answer = null;
      clock.advance(4_000);
      await turn(sinks);
      sinks.assertKeepingUp();
      sinks.assertServing();
    });

    test('changes and calls are refused as well where nothing could be signed for so long', () => {
      const [sinks, none] = [openSinks(new ToldSink('file')), openSinks()];
      overdueMs = LAG_MS;
      sinks.assertKeepingUp();
      overdueMs = LAG_MS + 1;
      assert.throws(() => sinks.assertKeepingUp(), Fault);
      assert.throws(() => sinks.assertServing(), Fault);
      none.assertKeepingUp();
      none.assertServing();
      overdueMs = 0;
      sinks.assertKeepingUp();
    });

    test('calls are served where changes alone are to be refused', () => {
      const sinks = openRefusing('changes', new ToldSink('file'));
      overdueMs = LAG_MS + 1;
      assert.throws(() => sinks.assertKeepingUp(), Fault);
      sinks.assertServing();
    });

    test('a sink that is added to an old log, or is slow, refuses nothing while it hears', async () => {
      await sign(1, 250);
      clock.advance(2 * LAG_MS);
      const [added, slow] = [new ToldSink('file'), new ToldSink('webhook', false)];
      const sinks = openSinks(added, slow);
      sinks.assertKeepingUp();
      await turn(sinks);
      assert.deepEqual(
        [added.got.length, slow.got],
        [250, [250]],
        'a checkpoint says what those before it say',
      );
      slow.answer = (page) => Promise.resolve({ delivered: Math.min(page.length, 1), problem: 'slow' });
      for (let size = 251; size < 260; size++) {
        await sign(size, size);
        sinks.assertKeepingUp();
        clock.advance(LAG_MS / 2);
        await turn(sinks);
      }
      sinks.assertKeepingUp();
    });

    test('what was signed at some time counts by the own clock, whatever the row says', async () => {
      const sink = new ToldSink('file');
      sink.answer = down;
      const sinks = openSinks(sink);
      await sign(1, 1);
      sinks.watch();
      await edit('update audit_checkpoints set at = 9000000000000');
      clock.advance(LAG_MS + 1);
      await turn(sinks);
      assert.throws(() => sinks.assertKeepingUp(), Fault);
    });

    for (const [what, sql, wanted] of [
      [
        'it is said to have what was never signed',
        'update audit_sink_positions set size = 9000000000000000',
        9e15,
      ],
      ['a checkpoint that was signed is gone', 'delete from audit_checkpoints where size = 11', 11],
      [
        'a checkpoint that was signed has another head',
        "update audit_checkpoints set head = 'AAAA' where size = 11",
        11,
      ],
    ] as const) {
      test(`a node is inconsistent where ${what}, and nothing of it is brought`, async () => {
        const sink = new ToldSink('file');
        const sinks = openSinks(sink);
        await sign(1, 10);
        await turn(sinks);
        await sign(11, 11);
        await edit(sql);
        clock.advance(10_000);
        await turn(sinks);
        assert.deepEqual(
          found.map(({ node, size }) => [node, size]),
          [[1, wanted]],
        );
        await sign(12, 13);
        clock.advance(10_000);
        await turn(sinks);
        assert.deepEqual([sink.got, found.length], [range(1, 10), 1]);
        assert.match((await sinks.statuses())[0]?.lastError ?? '', /inconsistent/);
      });
    }

    test('a note that the key has not signed, or that is longer than any, is not brought', async () => {
      const sink = new ToldSink('file');
      const sinks = openSinks(sink);
      await sign(1, 3);
      await edit(`insert into audit_checkpoints (node, size, at, head, note) select 1, 2000, 1, head,
        note || '${'z'.repeat(5_000)}' from audit_checkpoints where size = 3`);
      await turn(sinks);
      assert.deepEqual(sink.got, [1, 2, 3]);
      const other = new CheckpointKey(new RootKey(Buffer.alloc(32, 2)));
      const { note } = { note: other.sign({ node: 1, size: 3_000, head: HEAD }) };
      await edit(`delete from audit_checkpoints where size = 2000`);
      await edit(`insert into audit_checkpoints (node, size, at, head, note)
        select 1, 3000, 1, head, '${note}' from audit_checkpoints where size = 3`);
      found = [];
      clock.advance(10_000);
      await turn(sinks);
      assert.deepEqual(sink.got, [1, 2, 3]);
    });

    test('a stop gives each sink one more try', async () => {
      const sink = new ToldSink('file');
      sink.answer = down;
      const sinks = openSinks(sink);
      await sign(1, 1);
      await turn(sinks);
      sink.answer = null;
      await sinks.finish();
      assert.deepEqual(sink.got, [1]);
    });

    if (kind.name === 'postgres') {
      test('checkpoints of another node are left to its own process for half a minute', async () => {
        const sink = new ToldSink('file');
        const sinks = openSinks(sink);
        await sign(1, 2, 7);
        await turn(sinks);
        assert.deepEqual(sink.got, []);
        clock.advance(30_000);
        await turn(sinks);
        assert.deepEqual(sink.got, [1, 2]);
      });
    }
  });
}
