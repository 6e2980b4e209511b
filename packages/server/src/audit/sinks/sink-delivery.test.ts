import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DATABASE_KINDS, type DatabasePlace } from '../../../test/databases.ts';
import { ManualClock } from '../../../test/manual-clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Database } from '../../storage/database.ts';
import { CheckpointStore, type StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';
import type { AuditSink, SinkName, SinkOutcome } from './audit-sink.ts';
import { AuditSinks } from './audit-sinks.ts';

const LAG_MS = 900_000;

/** A sink that does as it is told; `null` takes everything. */
class ToldSink implements AuditSink {
  readonly name: SinkName;
  readonly got: number[] = [];
  tries = 0;
  answer: ((page: readonly StoredCheckpoint[]) => Promise<SinkOutcome>) | null = null;

  constructor(name: SinkName) {
    this.name = name;
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
    let unsignedSinceMs: number | undefined;
    beforeEach(async () => {
      place = await kind.create();
      clock = new ManualClock();
      database = await place.open({ nowMs: () => clock.nowMs() });
      told = [];
      unsignedSinceMs = undefined;
    });
    afterEach(async () => {
      await database.close();
      await place.remove();
    });
    const openSinks = (...sinks: AuditSink[]) =>
      new AuditSinks(sinks, {
        database,
        store: new CheckpointStore(database),
        clock,
        lagMs: LAG_MS,
        unsignedSinceMs: () => unsignedSinceMs,
        onProblem: (sink, problem) => void told.push(`${sink}: ${problem}`),
        onPending: () => undefined,
      });
    const sign = async (from: number, to: number, node = 1) => {
      const store = new CheckpointStore(database);
      const atMs = clock.nowMs();
      const steps = Array.from({ length: to - from + 1 }, (_, index) =>
        store.insertStep({ node, size: from + index, atMs, head: 'AAAA', note: 'a note\n' }),
      );
      assert.deepEqual(await database.commit({ steps }), { committed: true });
    };
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

    test('changes are refused once a checkpoint has waited too long, and no longer than that', async () => {
      const sink = new ToldSink('webhook');
      sink.answer = down;
      const sinks = openSinks(new ToldSink('file'), sink);
      await sign(1, 1);
      await turn(sinks);
      clock.advance(LAG_MS);
      await turn(sinks);
      sinks.assertKeepingUp();
      clock.advance(1);
      assert.throws(
        () => sinks.assertKeepingUp(),
        (fault) =>
          fault instanceof Fault &&
          fault.code === 'unavailable' &&
          /'webhook'/.test(fault.publicDetail ?? ''),
      );
      sink.answer = null;
      clock.advance(4_000);
      await turn(sinks);
      sinks.assertKeepingUp();
    });

    test('changes are refused as well where nothing could be signed for so long', () => {
      unsignedSinceMs = clock.nowMs();
      const [sinks, none] = [openSinks(new ToldSink('file')), openSinks()];
      clock.advance(LAG_MS);
      sinks.assertKeepingUp();
      clock.advance(1);
      assert.throws(() => sinks.assertKeepingUp(), Fault);
      none.assertKeepingUp();
      unsignedSinceMs = undefined;
      sinks.assertKeepingUp();
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
