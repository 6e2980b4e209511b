import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Balancer, type TargetState } from './balance.ts';
import type { Candidate } from './select-targets.ts';

const WELL: TargetState = { running: 0, isAvailable: true, restMs: 0 };

function candidate(name: string, fields: { readonly weight?: number; readonly priority?: number } = {}) {
  const target = { provider: 'openai', model: name, upstreamModel: name, credential: { id: 'crd' } };
  return { target, weight: 1, priority: 0, ...fields } as unknown as Candidate;
}

/** How often each was chosen. */
function spread(of: readonly Candidate[], calls: number, balancer = new Balancer()): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let call = 0; call < calls; call++) {
    const name = balancer.choose(of, () => WELL)?.target.model ?? 'none';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe('the balancer', () => {
  test('spreads calls that come one by one exactly by weight', () => {
    assert.deepEqual(spread([candidate('a'), candidate('b')], 10), { a: 5, b: 5 });
    assert.deepEqual(spread([candidate('a', { weight: 3 }), candidate('b')], 40), { a: 30, b: 10 });
    assert.deepEqual(spread([candidate('a', { weight: 0.75 }), candidate('b', { weight: 0.25 })], 40), {
      a: 30,
      b: 10,
    });
    assert.deepEqual(spread([candidate('a', { weight: 99 }), candidate('b')], 100), { a: 99, b: 1 });
  });

  test('prefers the one with fewer running calls for its weight', () => {
    const balancer = new Balancer();
    const running: Record<string, number> = { a: 5, b: 2 };
    const stateOf = ({ target }: Candidate) => ({ ...WELL, running: running[target.model] ?? 0 });
    const chosen = balancer.choose([candidate('a', { weight: 3 }), candidate('b')], stateOf);
    assert.equal(chosen?.target.model, 'a');
    assert.equal(balancer.choose([candidate('a'), candidate('b')], stateOf)?.target.model, 'b');
  });

  test('takes the first priority that has a target in good health', () => {
    const balancer = new Balancer();
    const all = [candidate('a'), candidate('b', { priority: 1 }), candidate('c', { priority: 2 })];
    const stateOf = ({ target }: Candidate) => ({ ...WELL, isAvailable: target.model !== 'a' });
    assert.equal(balancer.choose(all, () => WELL)?.target.model, 'a');
    assert.equal(balancer.choose(all, stateOf)?.target.model, 'b');
  });

  test('where none is in good health, takes the one that rests least', () => {
    const rests: Record<string, number> = { a: 300, b: 100 };
    const stateOf = ({ target }: Candidate) => ({
      running: 0,
      isAvailable: false,
      restMs: rests[target.model] ?? 0,
    });
    assert.equal(new Balancer().choose([candidate('a'), candidate('b')], stateOf)?.target.model, 'b');
    assert.equal(new Balancer().choose([], stateOf), undefined);
  });

  test('one that is new does not have to catch up with the others', () => {
    const balancer = new Balancer();
    spread([candidate('a'), candidate('b')], 1_000, balancer);
    const counts = spread([candidate('a'), candidate('b'), candidate('new')], 30, balancer);
    assert.ok((counts['new'] ?? 0) <= 14, JSON.stringify(counts));
  });
});
