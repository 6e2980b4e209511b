import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import fc from 'fast-check';
import { EMPTY_CHAIN, chainRecord } from '../storage/audit-chain.ts';
import { renderEvent } from './render-event.ts';
import { type AuditEvent } from './audit-event.ts';
import { readRecord, shortMark } from './call-record.ts';

const AT_MS = Date.UTC(2026, 10, 23, 12);
const CALL = {
  actor: 'key_1',
  target: 'res_1',
  decision: 'allowed',
  requestId: 'req_1',
  organizationId: 'org_1',
} as const;
const COMMON = {
  sequence: 1,
  node: 3,
  time: '2026-11-23T12:00:00.000Z',
  actor: 'key_1',
  target: 'res_1',
  decision: 'allowed',
  request_id: 'req_1',
  organization_id: 'org_1',
};

function record(event: AuditEvent): string {
  return chainRecord(EMPTY_CHAIN, { node: 3, body: renderEvent(event, AT_MS) }).record;
}

describe('records of calls', () => {
  test('an opened call is short, and reads as every fact of it under its name', () => {
    const detail = { provider: 'openai', model: 'gpt-4.1', held_usd: '0.012' };
    const stored = record({ ...CALL, action: 'call.opened', detail });
    assert.equal(
      stored,
      '[1,3,1795435200000,"org_1","call.opened","res_1","key_1","req_1","openai","gpt-4.1","0.012"]',
    );
    assert.deepEqual(readRecord(stored), { ...COMMON, action: 'call.opened', detail });
  });

  test('a settled call says model, tokens, cost and status, and whatever else was told of it', () => {
    const detail = {
      provider: 'openai',
      model: 'gpt-4.1',
      status: 502,
      input_tokens: 12,
      reasoning_tokens: 7,
      provenance: 'estimated',
      error: 'provider_error',
      flags: ['overrun', 'estimated'],
      told_later: true,
    };
    const stored = record({ ...CALL, action: 'call.settled', cost: nanos(1_500_000n), detail });
    assert.ok(stored.startsWith('[1,3,1795435200000,"org_1","call.settled",'), stored);
    assert.deepEqual(readRecord(stored), { ...COMMON, action: 'call.settled', cost_usd: '0.0015', detail });
  });

  test('whatever a call says of itself, both forms say the same, in one line of JSON', () => {
    const text = fc.string({ unit: 'binary' });
    const tokens = fc.constantFrom(
      'input_tokens',
      'output_tokens',
      'audio_output_tokens',
      'cached_input_tokens',
    );
    fc.assert(
      fc.property(
        fc.constantFrom('call.settled', 'call.released', 'call.expired'),
        text,
        fc.dictionary(tokens, fc.integer({ min: 1 })),
        (action, model, counts) => {
          const detail = { provider: 'openai', model, status: 200, ...counts };
          const stored = record({ ...CALL, action, cost: nanos(1n), detail });
          assert.ok(stored.startsWith('['));
          assert.doesNotMatch(stored, /\n/);
          const read = readRecord(stored);
          assert.deepEqual(read['detail'], detail);
          assert.deepEqual([read['action'], read['cost_usd']], [action, '0.000000001']);
        },
      ),
      { seed: 5 },
    );
  });

  test("no name that a caller chooses makes a record look like another organization's", () => {
    const mark = shortMark('org_victim');
    assert.ok(
      record({ ...CALL, organizationId: 'org_victim', action: 'call.opened', detail: OPENED }).includes(mark),
    );
    const names = [
      mark,
      'org_victim',
      'org_victim","call.opened',
      'call.opened',
      '"org_victim","call.',
      '\\"org_victim\\"',
    ];
    for (const model of names) {
      const stored = record({ ...CALL, action: 'call.opened', detail: { ...OPENED, model } });
      assert.ok(!stored.includes(mark), stored);
      assert.ok(!stored.includes('"organization_id":'), stored);
    }
  });

  test('what lacks a fact of the short form, or is no call, is long', () => {
    const events: AuditEvent[] = [
      { ...CALL, action: 'call.opened', detail: { provider: 'openai', held_usd: '1.00' } },
      { ...CALL, action: 'call.opened', requestId: undefined, detail: OPENED },
      { ...CALL, action: 'call.opened', decision: 'denied', detail: OPENED },
      { ...CALL, action: 'call.settled', detail: { provider: 'openai', model: 'm', status: 200 } },
      { ...CALL, action: 'call.refused', decision: 'denied', detail: { code: 'budget_exhausted' } },
    ];
    for (const event of events) {
      const stored = record(event);
      assert.ok(stored.startsWith('{"sequence":1,"node":3,"time":"2026'), stored);
      assert.deepEqual(readRecord(stored), JSON.parse(stored));
    }
  });
});

const OPENED = { provider: 'openai', model: 'gpt-4.1', held_usd: '0.012' };
