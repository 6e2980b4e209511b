import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import fc from 'fast-check';
import { EMPTY_CHAIN, chainRecord } from '../../storage/audit-chain.ts';
import { renderEvent } from '../render-event.ts';
import { type AuditEvent } from '../audit-event.ts';
import { readEvent } from '../stored-event.ts';
import { BlockTerms, type ShortRecord } from './terms.ts';

describe('the terms of a call', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('gpt-4.1', 'key_01abc', 'Größe', 'a b'),
  );
  const address = fc.option(fc.oneof(fc.ipV4(), fc.ipV6()), { nil: undefined });
  const known = { actor: text, target: text, requestId: text, organizationId: text };
  const detail = { provider: text, model: text };
  const rest = { flags: fc.array(text), error: text, provenance: text };
  const events: fc.Arbitrary<AuditEvent> = fc.oneof(
    fc.record({
      ...known,
      action: fc.constant('call.opened' as const),
      decision: fc.constant('allowed' as const),
      address,
      detail: fc.record({ ...detail, held_usd: fc.constant('0.0123') }),
    }),
    fc.record({
      ...known,
      action: fc.constantFrom('call.settled' as const, 'call.expired' as const),
      decision: fc.constant('allowed' as const),
      cost: fc.constant(nanos(5n)),
      detail: fc.record(
        {
          ...detail,
          status: fc.nat(),
          duration_ms: fc.nat(),
          attempt: fc.nat(),
          input_tokens: fc.nat(),
          ...rest,
        },
        { requiredKeys: ['provider', 'model', 'status'] },
      ),
    }),
  );

  test('are those of the event that it is, however it is read', () => {
    fc.assert(
      fc.property(events, fc.option(fc.constant('prj_1'), { nil: undefined }), (event, project) => {
        const { record } = chainRecord(EMPTY_CHAIN, { node: 1, body: renderEvent(event, 1_795_435_200_000) });
        assert.ok(record.startsWith('['), record);
        const [fast, slow] = [new BlockTerms(), new BlockTerms()];
        fast.addCall(JSON.parse(record) as ShortRecord, project);
        slow.add({ ...readEvent(record), projects: project === undefined ? [] : [project] });
        assert.deepEqual(fast.render().sort(), slow.render().sort());
      }),
      { numRuns: 1_000 },
    );
  });
});
