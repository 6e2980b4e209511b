import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fillRecords } from '../../test/audit/fill-log.ts';
import { isShort, readBriefly } from './brief-event.ts';
import { readEvent } from './stored-event.ts';

describe('a record that is read briefly', () => {
  test('says what it says when it is read whole, but for the detail of a call that has ended', () => {
    const actions = new Set<string>();
    let calls = 0;
    for (const { record } of fillRecords(2_000)) {
      const whole = readEvent(record);
      const brief = readBriefly(record);
      actions.add(brief.action);
      if (isShort(record)) calls++;
      const isEnding = isShort(record) && brief.action !== 'call.opened';
      assert.deepEqual(brief, isEnding ? { ...whole, detail: {} } : whole);
    }
    assert.ok(calls > 1_000);
    assert.ok(['call.opened', 'call.settled', 'call.refused'].every((each) => actions.has(each)));
  });

  test('is refused where nobody of us has written it', () => {
    for (const record of ['[1,', '[]', '[1,2,3]', '{'])
      assert.throws(() => readBriefly(record), Error, record);
  });
});
