import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import { CheckpointKey } from '../../src/sealing/checkpoint-key.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { CheckpointStore } from '../../src/audit/checkpoints/checkpoint-store.ts';
import { Checkpointer } from '../../src/audit/checkpoints/checkpointer.ts';
import { type CheckpointRooms, checkpointEndpoint } from '../../src/control/audit/checkpoint-endpoint.ts';
import { proofEndpoints } from '../../src/control/audit/proof-endpoints.ts';
import type { Endpoint } from '../../src/control/endpoint.ts';
import { Denial } from '../../src/kernel/denial.ts';
import type { Principal } from '../../src/keys/key.ts';
import { RootKey } from '../../src/sealing/root-key.ts';
import type { Database } from '../../src/storage/database.ts';
import { DATABASE_KINDS, type DatabasePlace } from '../databases.ts';
import type { Body } from '../keyfold.ts';
import { ManualClock } from '../manual-clock.ts';
import { type InclusionProof, openNote, provesConsistency, provesInclusion } from '../verify-proof.ts';

const OWN = 'org_own';
const OTHER = 'org_other';
/** More than a page of a consistency proof. */
const RECORDS = 12_345;

for (const kind of DATABASE_KINDS) {
  describe(`proofs on ${kind.name}`, () => {
    let place: DatabasePlace;
    let database: Database;
    let list: Endpoint;
    let inclusion: Endpoint;
    let consistency: Endpoint;
    let vkey: string;
    before(async () => {
      place = await kind.create();
      const clock = new ManualClock();
      database = await place.open({ nowMs: () => clock.nowMs() });
      const key = new CheckpointKey(new RootKey(Buffer.alloc(32, 1)));
      vkey = key.vkey;
      const checkpoints = new CheckpointStore(database);
      const audit = new AuditLog(database, clock);
      const checkpointer = new Checkpointer({
        database,
        store: checkpoints,
        key,
        audit,
        clock,
        readWitness: () => Promise.resolve(undefined),
        onSigned: () => undefined,
        onInconsistent: () => assert.fail(),
      });
      const rooms: CheckpointRooms & { database: Database } = {
        checkpoints,
        checkpointKey: key,
        checkpointer,
        database,
      };
      list = checkpointEndpoint(rooms);
      [inclusion = assert.fail(), consistency = assert.fail()] = proofEndpoints(rooms);
      // Of three kinds in turn: the own organization's, another's, and nobody's.
      const event = (organizationId?: string) =>
        audit.step({
          action: 'key.created',
          actor: 'system',
          target: 'ä — 💡',
          decision: 'allowed',
          organizationId,
        });
      const owners = [OWN, OTHER, undefined];
      const steps = Array.from({ length: RECORDS - 5 }, (_, index) => event(owners[index % 3]));
      await checkpointer.run();
      await database.commit({ steps: steps.slice(0, 3_333) });
      await checkpointer.run();
      await database.commit({ steps: steps.slice(3_333) });
      await checkpointer.finish();
      await database.commit({ steps: [event(OWN), event(OWN), event(OWN), event(OWN), event(OWN)] });
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    const ask = async (
      endpoint: Endpoint,
      query: object,
      permissions: readonly string[] = ['audit:read'],
    ) => {
      const principal = {
        key: { organizationId: OWN as Id<'organization'>, permissions },
      } as unknown as Principal;
      const parsed = endpoint.query?.parse(query);
      const call = {
        principal,
        requestId: 'req_1',
        params: {},
        query: parsed,
        body: {},
        header: () => undefined,
      };
      const answer = await endpoint.handle(call);
      if (answer instanceof Denial) return { code: answer.code, ...answer.detail };
      assert.ok('body' in answer);
      return answer.body as Body;
    };
    const proofOf = async (event: string, permissions?: readonly string[]): Promise<InclusionProof> => {
      const body = await ask(inclusion, { event }, permissions);
      const { note } = (body['checkpoint'] ?? {}) as { note: string };
      assert.equal(body['vkey'], vkey, JSON.stringify(body));
      return { ...(body as unknown as InclusionProof), note };
    };

    test('an event is proved under the first checkpoint that covers it, by whoever has the verifier key', async () => {
      for (const sequence of [1, 4, 1_000, 1_003, 12_340]) {
        const event = `1-${sequence - ((sequence - 1) % 3)}`;
        const proof = await proofOf(event);
        assert.ok(provesInclusion(proof, vkey), event);
        assert.ok(proof.leaves.length <= 1_000);
      }
    });

    test('a wrong byte anywhere fails', async () => {
      const proof = await proofOf('1-997');
      assert.equal(proof.leaves.length, 3);
      const holds = (wrong: Partial<InclusionProof>) => {
        try {
          return provesInclusion({ ...proof, ...wrong }, vkey);
        } catch {
          return false;
        }
      };
      assert.ok(holds({}));
      const twist = (text: string, place: number) =>
        text.slice(0, place) + (text[place] === 'A' ? 'B' : 'A') + text.slice(place + 1);
      const twistedHash = (hash: string) => {
        const bytes = Buffer.from(hash, 'base64');
        return Array.from(bytes, (byte, place) => {
          const other = Buffer.from(bytes);
          other[place] = byte ^ 1;
          return other.toString('base64');
        });
      };
      for (const field of ['record', 'note'] as const) {
        for (let place = 0; place < proof[field].length; place++)
          assert.ok(!holds({ [field]: twist(proof[field], place) }), `${field} ${place}`);
      }
      for (const head of twistedHash(proof.head_before)) assert.ok(!holds({ head_before: head }));
      for (const [index, leaf] of proof.leaves.entries()) {
        for (const other of twistedHash(leaf)) assert.ok(!holds({ leaves: proof.leaves.with(index, other) }));
      }
      for (const event of ['1-996', '1-998', '2-997']) assert.ok(!holds({ event }));
      assert.ok(!holds({ leaves: proof.leaves.slice(1) }));
      assert.ok(!holds({ leaves: [...proof.leaves, proof.leaves[0] ?? ''] }));
    });

    test("an event of another organization is not there, and nobody's is for keys with '*'", async () => {
      assert.equal((await ask(inclusion, { event: '1-2' }))['code'], 'not_found');
      assert.equal((await ask(inclusion, { event: '1-3' }))['code'], 'not_found');
      assert.equal((await ask(inclusion, { event: '1-2' }, ['*']))['code'], 'not_found');
      assert.ok(provesInclusion(await proofOf('1-3', ['*']), vkey));
      assert.equal((await ask(inclusion, { event: '1-99999' }))['code'], 'not_found');
      assert.equal((await ask(inclusion, { event: '2-1' }))['code'], 'not_found');
      assert.ok(!JSON.stringify(await ask(inclusion, { event: '1-1' })).includes(OTHER));
    });

    test('an event that no checkpoint covers yet is said to have to wait', async () => {
      const refused = await ask(inclusion, { event: `1-${RECORDS}` });
      assert.deepEqual([refused['code'], /yet/.test(String(refused['message']))], ['not_found', true]);
    });

    test('checkpoints are listed newest first, in pages, each signed', async () => {
      const first = await ask(list, { limit: '3' });
      const rows = first['data'] as {
        id: string;
        size: number;
        note: string;
        head: string;
        origin: string;
      }[];
      assert.deepEqual(
        rows.map(({ size }) => size),
        [12_340, 12_000, 11_000],
      );
      assert.equal(first['has_more'], true);
      assert.deepEqual([first['vkey'], first['inconsistent']], [vkey, []]);
      for (const { note, size, head, origin } of rows)
        assert.deepEqual(openNote(note, vkey), { origin, size, head: Buffer.from(head, 'base64') });
      const rest = await ask(list, { limit: '100', after: first['last_id'], node: '1' });
      assert.deepEqual((rest['data'] as { size: number }[]).map(({ size }) => size).at(0), 10_000);
      assert.deepEqual((await ask(list, { node: '2' }))['data'], []);
    });

    test('one checkpoint is proved to follow from an earlier one, in pages', async () => {
      const leaves: string[] = [];
      let page = await ask(consistency, { node: '1', from: '1000', to: '12340' });
      const [from, to] = [page['from'], page['to']] as { note: string }[];
      for (let pages = 1; ; pages++) {
        leaves.push(...(page['leaves'] as string[]));
        if (page['has_more'] !== true) {
          assert.equal(pages, 2);
          break;
        }
        assert.equal(leaves.length, 10_000);
        page = await ask(consistency, {
          node: '1',
          from: '1000',
          to: '12340',
          after: String(page['next_after']),
        });
      }
      const notes = { from: from?.note ?? '', to: to?.note ?? '' };
      assert.ok(provesConsistency({ ...notes, leaves }, vkey));
      assert.ok(!provesConsistency({ ...notes, leaves: leaves.with(5_000, leaves[0] ?? '') }, vkey));
      assert.ok(!provesConsistency({ ...notes, leaves: leaves.slice(1) }, vkey));
    });

    test('sizes without a checkpoint, and pages outside of them, are refused', async () => {
      for (const [query, code, param] of [
        [{ node: '1', from: '999', to: '2000' }, 'not_found', 'from'],
        [{ node: '1', from: '1000', to: '1001' }, 'not_found', 'to'],
        [{ node: '2', from: '1000', to: '2000' }, 'not_found', 'from'],
        [{ node: '1', from: '2000', to: '1000' }, 'invalid_request', 'from'],
        [{ node: '1', from: '1000', to: '2000', after: '2001' }, 'invalid_request', 'after'],
      ] as const) {
        const refused = await ask(consistency, query);
        assert.deepEqual([refused['code'], refused['param']], [code, param]);
      }
    });

    test("a record that was edited into no record is nobody's, and its proof fails", async () => {
      const sql = "update audit_records set record = 'edited' where sequence = 12338";
      await database.commit({ steps: [{ sql, values: [] }] });
      assert.equal((await ask(inclusion, { event: '1-12338' }))['code'], 'not_found');
      const { checkpoint, ...proof } = (await ask(inclusion, { event: '1-12338' }, ['*'])) as Body & {
        checkpoint: { note: string };
      };
      const { note } = checkpoint;
      assert.ok(!holdsInclusion({ ...proof, note } as unknown as InclusionProof, vkey));
    });
  });
}

/** Whether a proof holds; one that cannot be read does not. */
function holdsInclusion(proof: InclusionProof, vkey: string): boolean {
  try {
    return provesInclusion(proof, vkey);
  } catch {
    return false;
  }
}
