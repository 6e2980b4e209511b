/**
 * Torture: what one call does, drawn from the seed by its number alone: who pays, what the provider does and bills, when
 * the client leaves. A call holds an amount that no other call of its database holds, by which the books tell it.
 */
import type { Behaviour } from '../mock-provider.ts';
import type { SeededRandom } from '../seeded-random.ts';

/** `plain`: a key; `child`: a child of that key; `tight`: a key whose budget is soon used up; `lied`: one whose provider lies. */
export const PAYERS = ['plain', 'child', 'tight', 'lied'] as const;
export type Payer = (typeof PAYERS)[number];

export interface PlannedCall {
  readonly number: number;
  readonly payer: Payer;
  readonly streamed: boolean;
  readonly conduct: Conduct;
  /** What the provider bills once the request has reached it. */
  readonly billedTokens: number;
  readonly leavesAfterMs: number | undefined;
}

/** One dollar for a million tokens of output; input is free. */
export const PRICED = { name: 'torture-model', input: '0', output: '1', outputTokensMax: 150_000 };
export const NANOS_PER_TOKEN = 1_000n;
const HOLD_TOKENS = 20_000;

export function holdTokensOf(number: number): number {
  return HOLD_TOKENS + number;
}

/** The number of the call that holds so much; `undefined` where none does. */
export function numberOfHold(heldNanos: bigint): number | undefined {
  const number = Number(heldNanos / NANOS_PER_TOKEN) - HOLD_TOKENS;
  return heldNanos % NANOS_PER_TOKEN === 0n && number > 0 ? number : undefined;
}

/** What the provider does, and what the books may say of it when a settlement is what became of the call. */
export interface Conduct {
  readonly name: string;
  readonly behaviour: Behaviour;
  /** Of the call's settlement: exactly its bill, exactly its hold, at least its hold, or nothing. */
  readonly charge: 'bill' | 'hold' | 'hold or more' | 'nothing';
  /** What the settlement is flagged with, in a whole answer and in a stream. */
  readonly flag?: readonly [whole: string, streamed: string];
}

const HONEST: Conduct = { name: 'honest', behaviour: { kind: 'ok' }, charge: 'bill' };
const OVERRUN: Conduct = { ...HONEST, name: 'overrun', flag: ['overrun', 'overrun'] };

/** 502 and 408 come from an edge: what it cut off may go on, and is billed. */
const REFUSALS: readonly Conduct[] = [400, 404, 429, 500, 503].map((status) => ({
  name: `status ${status}`,
  behaviour: { kind: 'status', status },
  charge: 'nothing',
}));

const LIES: readonly Conduct[] = [
  lie('no usage', { kind: 'no-usage' }, 'usage_missing'),
  lie('negative usage', { kind: 'negative-usage' }, 'usage_negative'),
  lie('usage of text', { kind: 'usage-text', usage: '{"prompt_tokens":"1","completion_tokens":"1"}' }, [
    'usage_not_a_number',
    'usage_not_a_number',
  ]),
  lie('usage of NaN', { kind: 'usage-text', usage: '{"prompt_tokens":1,"completion_tokens":NaN}' }, [
    'usage_unreadable',
    'usage_malformed',
  ]),
  lie('infinite usage', { kind: 'usage-text', usage: '{"prompt_tokens":1,"completion_tokens":1e999}' }, [
    'usage_not_finite',
    'usage_not_finite',
  ]),
  lie(
    'usage said twice',
    { kind: 'usage-text', usage: '{"prompt_tokens":1,"completion_tokens":1},"usage":{}' },
    'usage_malformed',
  ),
  {
    ...lie(
      'ten times the possible',
      { kind: 'usage-text', usage: `{"prompt_tokens":1,"completion_tokens":${10 * PRICED.outputTokensMax}}` },
      'usage_impossible',
    ),
    charge: 'hold or more',
  },
];

const BREAKS: readonly Conduct[] = [
  { name: 'status 502', behaviour: { kind: 'status', status: 502 }, charge: 'hold' },
  { name: 'status 408', behaviour: { kind: 'status', status: 408 }, charge: 'hold' },
  { name: 'reset', behaviour: { kind: 'reset' }, charge: 'hold' },
  { name: 'garbage', behaviour: { kind: 'garbage' }, charge: 'hold' },
  { name: 'half a stream', behaviour: { kind: 'half-stream' }, charge: 'hold' },
];

/** Under way until the process dies or its patience ends. */
const SILENCES: readonly Conduct[] = [
  { name: 'silence', behaviour: { kind: 'hang' }, charge: 'hold' },
  { name: 'a stream that stalls', behaviour: { kind: 'stalled-stream' }, charge: 'hold' },
];

const WEIGHTS = { honest: 88, refusal: 3, lie: 4, break: 3, overrun: 2 };
const PAYER_WEIGHTS: Readonly<Record<Exclude<Payer, 'lied'>, number>> = { plain: 50, child: 30, tight: 20 };
const LEAVES = 0.03;
const LEAVES_WITHIN_MS = 12;

/** `isSilent`: a call of those that are always under way when something breaks. */
export function planCall(
  random: SeededRandom,
  of: { readonly number: number; readonly isSilent: boolean },
): PlannedCall {
  const drawn = random.fork(`call ${of.number}`);
  const kind = of.isSilent ? 'silence' : drawn.weighted(WEIGHTS);
  const conduct = drawConduct(drawn, kind);
  const hold = holdTokensOf(of.number);
  const share = 0.4 + 0.6 * drawn.fraction();
  const isHonest = kind === 'honest' || kind === 'refusal';
  return {
    number: of.number,
    payer: isHonest ? drawn.weighted(PAYER_WEIGHTS) : 'lied',
    streamed: of.isSilent ? conduct.behaviour.kind === 'stalled-stream' : drawn.chance(0.35),
    conduct,
    billedTokens: billedTokensOf(kind, { hold, share }),
    leavesAfterMs: isHonest && drawn.chance(LEAVES) ? drawn.between(0, LEAVES_WITHIN_MS) : undefined,
  };
}

function drawConduct(drawn: SeededRandom, kind: keyof typeof WEIGHTS | 'silence'): Conduct {
  switch (kind) {
    case 'honest':
      return HONEST;
    case 'overrun':
      return OVERRUN;
    case 'refusal':
      return drawn.pick(REFUSALS);
    case 'lie':
      return drawn.pick(LIES);
    case 'break':
      return drawn.pick(BREAKS);
    case 'silence':
      return drawn.pick(SILENCES);
  }
}

function billedTokensOf(kind: string, of: { readonly hold: number; readonly share: number }): number {
  if (kind === 'refusal') return 0;
  return kind === 'overrun' ? of.hold + 1_000 : Math.round(of.hold * of.share);
}

function lie(name: string, behaviour: Behaviour, flag: string | readonly [string, string]): Conduct {
  return { name, behaviour, charge: 'hold', flag: typeof flag === 'string' ? [flag, flag] : flag };
}
