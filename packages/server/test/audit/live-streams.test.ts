import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { STALL_MS_MAX } from '../../src/audit/following/live-streams.ts';
import { parsePlace } from '../../src/audit/place.ts';
import type { AuditFilter } from '../../src/audit/search/filter.ts';
import { type AuditHouse, EVENT, openAuditHouse } from '../audit-house.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { createRandom } from '../seeded-random.ts';

const EVERYTHING: AuditFilter = { organizationId: undefined, withUnowned: true };

interface Read {
  readonly id: string;
  readonly sequence: number;
}

function readEvents(text: string): Read[] {
  return [...text.matchAll(/^id: (\S+)\ndata: (.+)\n\n/gm)].map(([, id = '', data = '']) => ({
    id,
    sequence: (JSON.parse(data) as { sequence: number }).sequence,
  }));
}

const numbers = (count: number, first: number) => Array.from({ length: count }, (_, index) => first + index);

for (const kind of DATABASE_KINDS) {
  describe(`live streams of the audit log on ${kind.name}`, () => {
    let house: AuditHouse;
    let streams = 0;
    let written = 0;

    before(async () => {
      house = await openAuditHouse(kind);
    });
    after(async () => {
      await house.end();
      await house.close();
    });

    const write = async (count: number, event = EVENT) => {
      await house.append(Array.from({ length: count }, () => event));
      written += count;
    };
    const open = async (filter = EVERYTHING, after?: string): Promise<number> => {
      const stream = ++streams;
      const place = after === undefined ? undefined : parsePlace(after);
      assert.equal(await house.follower.openStream(stream, filter, place), true);
      await house.catchUp();
      return stream;
    };

    /** What a stream sends until it has come to a record, which it must. */
    const takeThrough = async (stream: number, last: number): Promise<string> => {
      let text = '';
      for (let looks = 0; looks < 5_000; looks++) {
        text += house.take(stream);
        if (readEvents(text).at(-1)?.sequence === last) return text;
        await house.catchUp();
      }
      return assert.fail(`the stream does not come to ${last}`);
    };

    test('what is written while a stream is open is sent once, in order, as far as it matches', async () => {
      await write(5);
      const [all, some] = [await open(), await open({ ...EVERYTHING, actions: ['route.*'] })];
      const from = written + 1;
      await write(10);
      await write(3, { ...EVENT, action: 'route.created' });
      await house.catchUp();
      assert.deepEqual(
        readEvents(await takeThrough(all, written)).map(({ sequence }) => sequence),
        numbers(13, from),
      );
      assert.deepEqual(
        readEvents(await takeThrough(some, written)).map(({ sequence }) => sequence),
        numbers(3, from + 10),
      );
      assert.equal(house.take(all), '');
    });

    test('a reader that comes back with the id of any event misses nothing and gets nothing twice, while more is written', async () => {
      const random = createRandom(1);
      const start = written;
      const seen: Read[] = [];
      let last = `1-${start}`;
      for (let visit = 0; visit < 25; visit++) {
        const stream = await open(EVERYTHING, last);
        await write(Math.floor(random() * 400));
        if (random() < 0.5) await house.catchUp();
        await write(1 + Math.floor(random() * 20));
        await house.catchUp();
        const read = readEvents(await takeThrough(stream, written));
        // The connection breaks somewhere: what came after it never arrived.
        const arrived = read.slice(0, 1 + Math.floor(random() * read.length));
        seen.push(...arrived);
        last = arrived.at(-1)?.id ?? last;
        house.follower.closeStream(stream);
      }
      const stream = await open(EVERYTHING, last);
      if (last !== `1-${written}`) seen.push(...readEvents(await takeThrough(stream, written)));
      house.follower.closeStream(stream);
      assert.deepEqual(
        seen.map(({ sequence }) => sequence),
        numbers(written - start, start + 1),
      );
    });

    test('a reader that takes little keeps little in memory, and still gets everything', async () => {
      const start = written;
      const stream = await open();
      await write(6_000);
      await house.catchUp();
      const waiting = (house.pieces.get(stream) ?? []).reduce((sum, { text }) => sum + text.length, 0);
      assert.ok(waiting < 600_000, `${waiting} characters wait`);
      const seen = readEvents(await takeThrough(stream, written)).map(({ sequence }) => sequence);
      assert.deepEqual(seen, numbers(6_000, start + 1));
      house.follower.closeStream(stream);
    });

    test('a reader that takes nothing is dropped with a marker that says from where it can go on', async () => {
      const stream = await open();
      await write(2);
      await house.catchUp();
      house.clock.advance(STALL_MS_MAX + 1);
      await house.catchUp();
      const text = house.take(stream);
      const [, marker = ''] = /event: dropped\ndata: (.+)\n\n$/.exec(text) ?? [];
      assert.deepEqual(JSON.parse(marker), { reason: 'too slow', resume: `1-${written}` });
      await write(1);
      await house.catchUp();
      assert.equal(house.take(stream), '');
    });

    test('a place that the log has not reached is refused; what was pruned before a place is told as a gap', async () => {
      const beyond = parsePlace(`1-${written + 1}`);
      assert.equal(await house.follower.openStream(++streams, EVERYTHING, beyond), false);
      await house.database.commit({
        steps: [
          house.database.step((db) =>
            db.deleteFrom('audit_records').where('sequence', '<=', BigInt(written - 3)),
          ),
        ],
      });
      const stream = await open(EVERYTHING, '1-2');
      const text = await takeThrough(stream, written);
      assert.ok(text.startsWith(`event: gap\ndata: {"node":1,"first":3,"last":${written - 3}}\n\n`), text);
      assert.deepEqual(
        readEvents(text).map(({ sequence }) => sequence),
        numbers(3, written - 2),
      );
      assert.deepEqual(house.failures, []);
    });

    test('what is pruned before a reader that is behind has come to it is told as a gap, too', async () => {
      const stream = await open();
      await write(3_000);
      // Until it has all that it may have before it has taken any of it.
      for (let looks = 0; looks < 20; looks++) await house.catchUp();
      const first = readEvents(house.take(stream));
      const had = first.at(-1)?.sequence ?? written - 3_000;
      const through = written - 10;
      await house.database.commit({
        steps: [
          house.database.step((db) =>
            db.deleteFrom('audit_records').where('sequence', '<=', BigInt(through)),
          ),
        ],
      });
      const rest = await takeThrough(stream, written);
      const told = [...rest.matchAll(/event: gap\ndata: (.+)\n/g)].map(
        ([, data = '']) => JSON.parse(data) as { first: number; last: number },
      );
      const seen = [...first, ...readEvents(rest)].map(({ sequence }) => sequence);
      const missing = numbers(written - had, had + 1).filter((sequence) => !seen.includes(sequence));
      for (const sequence of missing) {
        assert.ok(
          told.some(({ first: from, last }) => from <= sequence && sequence <= last),
          `${sequence} is not told`,
        );
      }
      assert.ok(missing.length > 0);
      assert.deepEqual(seen.slice(-10), numbers(10, through + 1));
    });
  });
}
