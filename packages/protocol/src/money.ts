/** Money: integer nano-dollars (10⁻⁹ US dollar) as `bigint`, parsed from and rendered to decimal text without a float. */

declare const nanosBrand: unique symbol;

/** An amount of US dollars in nano-dollars. Always an integer, always inside ±{@link NANOS_MAX}. */
export type Nanos = bigint & { readonly [nanosBrand]: true };

/** The largest amount that the ledger's 64-bit columns hold: about 9.2 billion dollars. */
export const NANOS_MAX = 9_223_372_036_854_775_807n;

const NANOS_PER_DOLLAR = 1_000_000_000n;
const DECIMAL = /^(-?)([0-9]{1,10})(?:\.([0-9]{1,9}))?$/;

/** Brands an integer as money. Throws `RangeError` when it does not fit the ledger's columns. */
export function nanos(amount: bigint): Nanos {
  if (amount > NANOS_MAX || amount < -NANOS_MAX) throw new RangeError('amount of money out of range');
  return amount as Nanos;
}

export const ZERO_NANOS: Nanos = nanos(0n);

/**
 * Reads a decimal amount of dollars, at most nine decimals: `'12.5'` or the number `12.5` → 12_500_000_000n.
 * Returns `undefined` for anything else (exponents, `NaN`, spaces, a tenth decimal, out of range): refuse, do not round.
 */
export function parseUsd(amount: string | number): Nanos | undefined {
  const match = DECIMAL.exec(typeof amount === 'number' ? String(amount) : amount);
  if (match === null) return undefined;
  const [, sign, whole = '0', fraction = ''] = match;
  const value = BigInt(whole) * NANOS_PER_DOLLAR + BigInt(fraction.padEnd(9, '0'));
  if (value > NANOS_MAX) return undefined;
  return nanos(sign === '-' ? -value : value);
}

/** Renders dollars with at least two decimals and no trailing zero beyond them: 12_500_000_000n → `'12.50'`. */
export function formatUsd(amount: Nanos): string {
  const magnitude = amount < 0n ? -amount : amount;
  const whole = magnitude / NANOS_PER_DOLLAR;
  const fraction = (magnitude % NANOS_PER_DOLLAR)
    .toString()
    .padStart(9, '0')
    .replace(/0{1,7}$/, '');
  return `${amount < 0n ? '-' : ''}${whole}.${fraction}`;
}
