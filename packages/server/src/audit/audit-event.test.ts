import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import fc from 'fast-check';
import { EMPTY_CHAIN, chainRecord } from '../storage/audit-chain.ts';
import { renderEvent } from './render-event.ts';
import { type AuditEvent } from './audit-event.ts';
import { readRecord } from './call-record.ts';

const AT_MS = Date.UTC(2026, 10, 23, 12);
/** NUL, line ends, terminal escapes, marks that turn the direction of writing, separators, lone surrogates. */
const HOSTILE =
  '\0\r\n\u001b[2J\u007f\u0085\u009b31m\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202e\u2066\ufeff\ud800x\udc00"\\';

describe('the text of a record', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...HOSTILE.split('')) }),
    fc.constant(HOSTILE),
  );
  const events: fc.Arbitrary<AuditEvent> = fc.oneof(
    fc.record({
      action: fc.constant('key.updated' as const),
      actor: hostile,
      target: hostile,
      decision: fc.constant('allowed' as const),
      requestId: hostile,
      organizationId: hostile,
      address: hostile,
      detail: fc.record({ name: hostile, names: fc.array(hostile), before: fc.record({ name: hostile }) }),
    }),
    fc.record({
      action: fc.constant('call.settled' as const),
      actor: hostile,
      target: hostile,
      decision: fc.constant('allowed' as const),
      requestId: hostile,
      organizationId: hostile,
      cost: fc.constant(nanos(1n)),
      detail: fc.record({ provider: hostile, model: hostile, status: fc.nat(), error: hostile }),
    }),
  );

  test('is one line of printable, well-formed JSON whatever is in it, and nothing of it is lost', () => {
    fc.assert(
      fc.property(events, (event) => {
        const { record } = chainRecord(EMPTY_CHAIN, { node: 1, body: renderEvent(event, AT_MS) });
        assert.doesNotMatch(record, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u, JSON.stringify(record));
        assert.equal(Buffer.from(record, 'utf8').toString('utf8'), record);
        const read = readRecord(record);
        assert.deepEqual(
          [read['actor'], read['target'], read['request_id'], read['organization_id'], read['detail']],
          [
            event.actor,
            event.target,
            event.requestId,
            event.organizationId,
            JSON.parse(JSON.stringify(event.detail)),
          ],
        );
      }),
      { numRuns: 2_000 },
    );
  });
});
