/** What a key spends, from the records of its calls: held when a call is opened, corrected when it ends. */
import { type Nanos, ZERO_NANOS, nanos, parseUsd } from '@keyfold/protocol';
import type { StoredEvent } from '../audit/stored-event.ts';
import { BoundedMap } from './bounded-map.ts';

/** Calls under way whose holds are remembered; of more, the hold stands although the call cost less. */
const OPEN_CALLS_MAX = 100_000;

const ENDINGS: readonly string[] = ['call.settled', 'call.released', 'call.expired'];
/** Digits that an integer of any size may have to be exact as a number. */
const EXACT_DIGITS_MAX = 15;
const DECIMALS = 9;

/** An amount that was spent, or below zero was not after all, at a time. */
export interface SpendChange {
  readonly amount: bigint;
  readonly atMs: number;
  /** When its call was opened. */
  readonly openedAtMs: number;
  /** Its own, and that of the opening, in the order in which records were read. */
  readonly place: number;
  readonly openedPlace: number;
}

interface OpenCall {
  readonly held: Nanos;
  readonly atMs: number;
  readonly place: number;
}

export class SpendReader {
  readonly #open = new BoundedMap<OpenCall>(OPEN_CALLS_MAX);
  #place = 0;

  /**
   * A call counts when it is opened, by what is held for it. What it did not cost is taken away there; what it cost beyond
   * its hold counts when that is known. A call whose opening was not seen here was counted by whoever saw it.
   */
  read(event: StoredEvent): SpendChange | undefined {
    if (event.action === 'call.opened') {
      const held = amountOf(event.detail['held_usd']);
      const atMs = event.timeMs;
      const place = ++this.#place;
      this.#open.set(event.target, { held, atMs, place });
      return { amount: held, atMs, openedAtMs: atMs, place, openedPlace: place };
    }
    if (!ENDINGS.includes(event.action)) return undefined;
    const call = this.#open.take(event.target);
    if (call === undefined) return undefined;
    const amount = amountOf(event.costUsd) - call.held;
    if (amount === 0n) return undefined;
    const atMs = amount < 0n ? call.atMs : event.timeMs;
    return { amount, atMs, openedAtMs: call.atMs, place: ++this.#place, openedPlace: call.place };
  }
}

function amountOf(usd: unknown): Nanos {
  return (typeof usd === 'string' ? (readShortAmount(usd) ?? parseUsd(usd)) : undefined) ?? ZERO_NANOS;
}

const [ZERO, NINE, POINT] = ['0', '9', '.'].map((letter) => letter.charCodeAt(0)) as [number, number, number];

/** As `parseUsd` for plain amounts below a million dollars, as one whole number of nano-dollars; else `undefined`. */
export function readShortAmount(usd: string): Nanos | undefined {
  let digits = 0;
  let decimals = -1;
  let amount = 0;
  for (let place = 0; place < usd.length; place++) {
    const code = usd.charCodeAt(place);
    if (code === POINT && decimals < 0 && digits > 0) {
      decimals = 0;
      continue;
    }
    if (code < ZERO || code > NINE) return undefined;
    amount = amount * 10 + (code - ZERO);
    digits++;
    if (decimals >= 0) decimals++;
  }
  const missing = DECIMALS - Math.max(0, decimals);
  if (digits === 0 || decimals === 0 || missing < 0 || digits + missing > EXACT_DIGITS_MAX) return undefined;
  return nanos(BigInt(amount * 10 ** missing));
}
