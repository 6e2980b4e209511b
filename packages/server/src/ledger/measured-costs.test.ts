import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import fc from 'fast-check';
import { MeasuredCosts } from './measured-costs.ts';

const of = { keyId: 'key_1', model: 'm' };
const twice = { multiplePercent: 200, floor: nanos(0n) };

function measured(count: number, cost: bigint, estimate: bigint): MeasuredCosts {
  const costs = new MeasuredCosts();
  for (let call = 0; call < count; call++) costs.note(of, { cost: nanos(cost), estimate: nanos(estimate) });
  return costs;
}

test('the worst case is held until twenty calls of the key and model were measured', () => {
  assert.equal(measured(19, 1n, 100n).holdFor(of, { estimate: nanos(1_000n), policy: twice }), 1_000n);
  assert.equal(measured(20, 1n, 100n).holdFor(of, { estimate: nanos(1_000n), policy: twice }), 20n);
  const other = { ...of, model: 'other' };
  assert.equal(measured(20, 1n, 100n).holdFor(other, { estimate: nanos(1_000n), policy: twice }), 1_000n);
  assert.equal(measured(20, 1n, 100n).holdFor(of, { estimate: nanos(1_000n), policy: undefined }), 1_000n);
});

test('a hold is rounded up, no less than the floor, and never more than the worst case', () => {
  const costs = measured(20, 1n, 3n);
  assert.equal(costs.holdFor(of, { estimate: nanos(10n), policy: { ...twice, multiplePercent: 100 } }), 4n);
  assert.equal(costs.holdFor(of, { estimate: nanos(10n), policy: { ...twice, floor: nanos(9n) } }), 9n);
  assert.equal(costs.holdFor(of, { estimate: nanos(10n), policy: { ...twice, floor: nanos(11n) } }), 10n);
  assert.equal(
    measured(20, 0n, 0n).holdFor(of, { estimate: nanos(7n), policy: twice }),
    7n,
    'free calls say nothing',
  );
  assert.equal(measured(20, 0n, 9n).holdFor(of, { estimate: nanos(7n), policy: twice }), 1n, 'never nothing');
  fc.assert(
    fc.property(
      fc.bigInt(0n, 10n ** 15n),
      fc.bigInt(0n, 10n ** 15n),
      fc.integer({ min: 100, max: 10_000 }),
      (cost, estimate, multiplePercent) => {
        const held = measured(20, cost, 10n ** 12n).holdFor(of, {
          estimate: nanos(estimate),
          policy: { multiplePercent, floor: nanos(5n) },
        });
        assert.ok(held <= estimate && (held >= 5n || held === estimate));
      },
    ),
  );
});

test('what was measured long ago counts less and less', () => {
  const costs = measured(200, 100n, 100n);
  for (let call = 0; call < 1_000; call++) costs.note(of, { cost: nanos(1n), estimate: nanos(100n) });
  const held = costs.holdFor(of, { estimate: nanos(10_000n), policy: { ...twice, multiplePercent: 100 } });
  assert.ok(held < 400n, String(held));
});
