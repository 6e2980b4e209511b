import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import { TOKENS_MAX } from '../../pricing/cost.ts';
import { findProvider } from '../../providers/registry.ts';
import { NANOS_PER_MILLION_MAX, nanosPerMillion } from '../../pricing/model-price.ts';
import { VENDORS } from '../../routing/vendors.ts';
import type { Decision } from '../deciding/decide.ts';
import { settleReported, settleStream } from './settle.ts';

const USAGE = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};

const DOLLAR = 1_000_000_000n;

/** What settling looks at, with everything taken to be possible. */
function decided(heldNanos: bigint, streamPolicy = 'full'): Decision {
  const price = nanosPerMillion(NANOS_PER_MILLION_MAX);
  return {
    principal: { key: { kind: 'live' } },
    target: { price: { inputPerMillion: price, outputPerMillion: price }, credential: { streamPolicy } },
    estimate: { possible: { inputTokens: Infinity, outputTokens: Infinity } },
    reservation: { held: nanos(heldNanos), estimate: nanos(heldNanos) },
  } as unknown as Decision;
}

describe('settling', () => {
  test('a report that costs more than the ledger can hold, or counts more than can be, is charged at the hold and flagged', () => {
    for (const outputTokens of [50_000_000_000, Number.MAX_SAFE_INTEGER]) {
      const reading = { usage: { ...USAGE, outputTokens } };
      const resolution = settleReported(decided(7n), reading, { status: 200, error: undefined });
      assert.equal(resolution.cost, 7n);
      assert.deepEqual(resolution.flags, ['usage_impossible', 'estimated']);
    }
  });

  test('a report above what is believed is charged at the part that is, never below the hold, and flagged', () => {
    const ending = { status: 200, error: undefined };
    const limited = (heldNanos: bigint): Decision => ({
      ...decided(heldNanos),
      estimate: { possible: { inputTokens: 3, outputTokens: 2 } } as Decision['estimate'],
    });
    for (const [held, usage, charged] of [
      [4n * DOLLAR, { inputTokens: 1_000, outputTokens: 1 }, 4n * DOLLAR],
      [DOLLAR, { inputTokens: 1_000, outputTokens: 1 }, 4n * DOLLAR],
      [DOLLAR, { inputTokens: 1, outputTokens: 1_000 }, 3n * DOLLAR],
      [DOLLAR, { cachedAudioInputTokens: 1_000, outputTokens: 1_000 }, 5n * DOLLAR],
      [DOLLAR, { inputTokens: Number.MAX_SAFE_INTEGER }, DOLLAR],
      [DOLLAR, { inputTokens: TOKENS_MAX, cachedInputTokens: TOKENS_MAX }, DOLLAR],
      [7n * DOLLAR, { inputTokens: 1, outputTokens: 1_000 }, 7n * DOLLAR],
    ] as const) {
      const settled = settleReported(limited(held), { usage: { ...USAGE, ...usage } }, ending);
      assert.equal(settled.cost, charged);
      assert.deepEqual(settled.flags, ['usage_impossible', 'estimated']);
      assert.equal(settled.usage.provenance, 'estimated');
    }
    const tested = { ...limited(0n), principal: { key: { kind: 'test' } } } as Decision;
    assert.equal(settleReported(tested, { usage: { ...USAGE, inputTokens: 9 } }, ending).cost, 0n);
  });

  test('what a price says nothing of is never charged below the hold, and flagged', () => {
    const ending = { status: 200, error: undefined };
    for (const [tokens, flag] of [
      [{ audioInputTokens: 1 }, 'unpriced_audio'],
      [{ cachedAudioInputTokens: 1 }, 'unpriced_audio'],
      [{ audioOutputTokens: 1 }, 'unpriced_audio'],
      [{ imageOutputTokens: 1 }, 'unpriced_image'],
      [{ longCacheWriteTokens: 1 }, 'unpriced_long_cache_write'],
    ] as const) {
      const held = 5_000_000_000n;
      const { cost, flags } = settleReported(decided(held), { usage: { ...USAGE, ...tokens } }, ending);
      assert.deepEqual([cost, flags], [held, [flag]]);
    }
    // Vendors that price images that are read apart from text say so.
    const seen = settleReported(decided(7n), { usage: { ...USAGE, imageInputTokens: 1 } }, ending);
    assert.deepEqual(seen.flags, []);
  });

  test('what a provider charged beyond tokens is never charged below the hold, and flagged', () => {
    const reading = { usage: { ...USAGE, outputTokens: 1 }, unpriced: ['web_search'] as const };
    const ending = { status: 200, error: undefined };
    const dear = settleReported(decided(7n), reading, ending);
    assert.deepEqual(dear.flags, ['unpriced_web_search']);
    assert.ok(dear.cost > 7n);
    const cheap = settleReported(decided(dear.cost + 1n), reading, ending);
    assert.equal(cheap.cost, dear.cost + 1n);
    assert.deepEqual(cheap.flags, ['unpriced_web_search']);
  });

  const PARTIAL = {
    reading: { usage: { ...USAGE, outputTokens: 3 } },
    completed: false,
    trailing: undefined,
  };
  const EARLY = { reading: { usage: { ...USAGE, inputTokens: 1 } }, completed: false, trailing: undefined };
  const SILENT = { reading: { problem: 'missing' as const }, completed: false, trailing: undefined };
  const ENDING = { status: 200, error: 'stream_cut' };

  test('a stream that was cut off is charged at its hold, unless its credential says otherwise', () => {
    const full = settleStream(decided(10n * DOLLAR), { summary: PARTIAL, ending: ENDING, isWhole: true });
    assert.deepEqual([full.cost, full.usage.provenance], [10n * DOLLAR, 'estimated']);
    assert.deepEqual(full.flags, ['usage_missing', 'estimated']);
  });

  test('by policy it is charged at what it had reported, or at what was counted', () => {
    for (const [policy, summary, counted] of [
      ['usage', PARTIAL, undefined],
      ['streamed', PARTIAL, { inputTokens: 0, outputTokens: 2 }],
      ['streamed', EARLY, { inputTokens: 9, outputTokens: 2 }],
      ['streamed', SILENT, { inputTokens: 1, outputTokens: 2 }],
    ] as const) {
      const settled = settleStream(decided(10n * DOLLAR, policy), {
        summary,
        ending: ENDING,
        isWhole: true,
        counted,
      });
      assert.deepEqual([settled.cost, settled.usage.provenance], [3n * DOLLAR, 'counted'], policy);
      assert.deepEqual(settled.flags, ['stream_incomplete']);
    }
  });

  test('what was not reported or cannot be counted is charged at the hold, and nothing above it is', () => {
    for (const [policy, summary, isWhole, counted] of [
      ['usage', SILENT, true, undefined],
      ['usage', EARLY, true, undefined],
      ['usage', PARTIAL, false, undefined],
      ['streamed', SILENT, true, undefined],
      ['streamed', PARTIAL, true, undefined],
      ['streamed', SILENT, true, { inputTokens: 1, outputTokens: 20 }],
      ['streamed', SILENT, false, { inputTokens: 1, outputTokens: 2 }],
    ] as const) {
      const decision = decided(10n * DOLLAR, policy);
      const settled = settleStream(decision, { summary, ending: ENDING, isWhole, counted });
      assert.deepEqual([settled.cost, settled.usage.provenance], [10n * DOLLAR, 'estimated'], policy);
    }
  });

  test('explicit zero is zero', () => {
    const resolution = settleReported(decided(7n), { usage: USAGE }, { status: 200, error: undefined });
    assert.equal(resolution.cost, 0n);
    assert.deepEqual(resolution.flags, []);
  });
});

test('every vendor that a credential may name speaks a wire format that there is', () => {
  for (const [name, { dialect }] of VENDORS) assert.ok(findProvider(dialect), name);
});
