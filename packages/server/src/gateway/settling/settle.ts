/** Turns what a provider reported, or did not, into a resolution: what is odd is flagged, and never credited. */
import { ERRORS, type Nanos, ZERO_NANOS } from '@keyfold/protocol';
import type { Fault } from '../../kernel/fault.ts';
import type { KeptSteps, Resolution } from '../../ledger/reservation.ts';
import {
  type UnpricedTokens,
  type UsageBound,
  costOf,
  findUnpricedTokens,
  worstCaseCost,
} from '../../pricing/cost.ts';
import { type ModelPrice, NO_USAGE, type Usage } from '../../pricing/model-price.ts';
import type { StreamPolicy } from '../../credentials/credential.ts';
import type { ReportedUsage, StreamSummary, UsageReading } from '../../providers/provider.ts';
import { sumInput, sumOutput } from '../../providers/sum-usage.ts';
import type { Decision } from '../deciding/decide.ts';
import type { Estimate } from '../deciding/estimate.ts';

export interface Ending {
  /** What the client got. */
  readonly status: number;
  readonly error: string | undefined;
  /** Of it, for a repeat of the call. */
  readonly kept?: KeptSteps | undefined;
}

/** What is recorded when the client left before its answer: the status is nginx's. */
export const CLIENT_GONE: Ending = { status: 499, error: 'client_gone' };

export function endingOf({ code }: Fault): Ending {
  return { status: ERRORS[code].status, error: code };
}

/** The provider answered, and said what it used. A report that cannot be is charged at the hold, or at what of it can be. */
export function settleReported(decision: Decision, reading: UsageReading, ending: Ending): Resolution {
  if ('problem' in reading) return settleAtHold(decision, ending, [`usage_${reading.problem}`]);
  const { usage } = reading;
  if (!isPossible(usage, decision)) return settleImpossible(decision, usage, ending);
  const reported: Usage = { ...usage, provenance: 'provider' };
  const { price } = decision.target;
  const isFree = decision.principal.key.kind === 'test';
  const charge = price === undefined || isFree ? FREE : chargeWithinRange(price, reported);
  if (charge === undefined) return settleAtHold(decision, ending, ['usage_impossible']);
  const { cost } = charge;
  const unpriced = [...(reading.unpriced ?? []), ...charge.media];
  // What was charged beyond tokens is not known here: it is not given away, and whoever reads the call is told.
  const { estimate: most } = decision.reservation;
  const charged = unpriced.length > 0 && cost < most ? most : cost;
  const flags = [
    ...(price === undefined && !isFree ? ['unpriced'] : []),
    ...unpriced.map((each) => `unpriced_${each}`),
  ];
  return { kind: 'settlement', cost: charged, usage: reported, ...ending, flags };
}

interface Charge {
  readonly cost: Nanos;
  /** What it is too little for. */
  readonly media: readonly UnpricedTokens[];
}

const FREE: Charge = { cost: ZERO_NANOS, media: [] };

function chargeWithinRange(price: ModelPrice, usage: Usage): Charge | undefined {
  return withinRange(() => ({ cost: costOf(price, usage), media: findUnpricedTokens(price, usage) }));
}

/** `undefined` for counts or a cost beyond what the ledger can hold: no provider bills that. */
function withinRange<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export interface CutOrWhole {
  readonly summary: StreamSummary;
  readonly ending: Ending;
  /** All that came of a stream that was cut off was read. */
  readonly isWhole: boolean;
  /** What the bytes of a stream that was cut off were counted at, where its credential's policy wants that. */
  readonly counted?: Pick<ReportedUsage, 'inputTokens' | 'outputTokens'> | undefined;
}

/**
 * Usage is final only in a stream that was complete: some servers report running totals. What one that was cut off is
 * charged, its credential's policy says.
 */
export function settleStream(
  decision: Decision,
  { summary, ending, isWhole, counted }: CutOrWhole,
): Resolution {
  const { reading, completed } = summary;
  if (completed) {
    return ending.error === undefined || 'usage' in reading
      ? settleReported(decision, reading, ending)
      : settleAtHold(decision, ending, ['usage_missing']);
  }
  const isCut = ending.error !== undefined || 'problem' in reading;
  const flag = isCut ? 'usage_missing' : 'stream_incomplete';
  const policy = decision.target.credential?.streamPolicy ?? 'full';
  const usage = policy === 'full' || !isWhole ? undefined : partialUsage(policy, reading, counted);
  const partial = usage === undefined ? undefined : settlePartial(decision, usage, ending);
  return partial ?? settleAtHold(decision, ending, [flag]);
}

/**
 * What had come when the stream was cut off, as far as that can be known. A report that came early tells the input, and may
 * tell nothing of the output yet: then it is counted, or not known.
 */
function partialUsage(
  policy: Exclude<StreamPolicy, 'full'>,
  reading: UsageReading,
  counted: CutOrWhole['counted'],
): ReportedUsage | undefined {
  const reported = 'usage' in reading ? reading.usage : undefined;
  if (policy === 'usage') return reported !== undefined && sumOutput(reported) > 0 ? reported : undefined;
  if (counted === undefined || reported === undefined) {
    return counted === undefined ? undefined : { ...NO_USAGE, ...counted };
  }
  const unreported = Math.max(0, counted.outputTokens - sumOutput(reported));
  const inputTokens = sumInput(reported) > 0 ? reported.inputTokens : counted.inputTokens;
  return { ...reported, inputTokens, outputTokens: reported.outputTokens + unreported };
}

function settlePartial(decision: Decision, usage: ReportedUsage, ending: Ending): Resolution | undefined {
  const { price } = decision.target;
  const partial: Usage = { ...usage, provenance: 'counted' };
  const charge =
    price !== undefined && isPossible(partial, decision) ? chargeWithinRange(price, partial) : undefined;
  const { estimate: most } = decision.reservation;
  if (charge === undefined || charge.media.length > 0 || charge.cost > most) return undefined;
  return { kind: 'settlement', cost: charge.cost, usage: partial, ...ending, flags: ['stream_incomplete'] };
}

/** It is not known what was used: the most that it can be is spent. */
export function settleAtHold(decision: Decision, ending: Ending, flags: readonly string[]): Resolution {
  const usage: Usage = { ...NO_USAGE, provenance: 'estimated' };
  return {
    kind: 'settlement',
    cost: decision.reservation.estimate,
    usage,
    ...ending,
    flags: [...flags, 'estimated'],
  };
}

/** More than any believed report could cost is not charged: to report the impossible brings a provider nothing. */
function settleImpossible(decision: Decision, usage: ReportedUsage, ending: Ending): Resolution {
  const resolution = settleAtHold(decision, ending, ['usage_impossible']);
  const { price } = decision.target;
  if (price === undefined || decision.principal.key.kind === 'test') return resolution;
  const cost = costOfBelieved(price, usage, decision.estimate);
  return cost > resolution.cost ? { ...resolution, cost } : resolution;
}

/** Of a report that is beyond all measure nothing is believed. */
function costOfBelieved(price: ModelPrice, usage: ReportedUsage, { possible }: Estimate): Nanos {
  const believed: UsageBound = {
    inputTokensMax: Math.min(sumInput(usage), possible.inputTokens),
    hasMediaInput: MEDIA_INPUT.some((each) => (usage[each] ?? 0) > 0),
    outputTokensMax: Math.min(sumOutput(usage), possible.outputTokens),
    hasMediaOutput: MEDIA_OUTPUT.some((each) => (usage[each] ?? 0) > 0),
  };
  const cost = chargeWithinRange(price, { ...usage, provenance: 'provider' })?.cost;
  const most = withinRange(() => worstCaseCost(price, believed));
  if (cost === undefined || most === undefined) return ZERO_NANOS;
  return cost < most ? cost : most;
}

const MEDIA_INPUT = ['audioInputTokens', 'cachedAudioInputTokens', 'imageInputTokens'] as const;
const MEDIA_OUTPUT = ['audioOutputTokens', 'imageOutputTokens'] as const;

/** The provider answered `providerStatus`, an error: what it refused itself it does not bill; of the rest nothing is known. */
export function settleFailed(decision: Decision, providerStatus: number, ending: Ending): Resolution {
  if (!isUnbilled(providerStatus)) return settleAtHold(decision, ending, ['usage_missing']);
  return { kind: 'settlement', cost: ZERO_NANOS, usage: NO_USAGE, ...ending, flags: [] };
}

/** Timeouts and gateway errors come from an edge that may have cut off a generation that goes on, and is billed. */
function isUnbilled(status: number): boolean {
  return (status >= 400 && status < 500 && status !== 408) || UNBILLED_FAILURES.has(status);
}

const UNBILLED_FAILURES: ReadonlySet<number> = new Set([500, 503, 529]);

/** Nothing was sent: nothing is spent. */
export function release(ending: Ending): Resolution {
  return { kind: 'release', cost: ZERO_NANOS, usage: NO_USAGE, ...ending, flags: [] };
}

/** What the tokens-per-minute limit is told: `undefined` leaves its estimate standing. */
export function tokensOf(resolution: Resolution): number | undefined {
  const { usage } = resolution;
  return usage.provenance === 'estimated' ? undefined : sumInput(usage) + sumOutput(usage);
}

function isPossible(usage: ReportedUsage, { estimate }: Decision): boolean {
  const { possible } = estimate;
  return sumInput(usage) <= possible.inputTokens && sumOutput(usage) <= possible.outputTokens;
}
