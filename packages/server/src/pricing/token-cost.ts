/** Responsible for turning a floating-point price per token into an exact price per million tokens, without float arithmetic. */
import { NANOS_PER_MILLION_MAX, type NanosPerMillion, nanosPerMillion } from './model-price.ts';

const NUMBER_TEXT = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;

/** One US dollar a token is 10¹⁵ nano-dollars per million tokens. */
const PLACES = 15;

/**
 * Reads US dollars per token, such as `1.25e-06`, by the digits of the number's shortest decimal text.
 * Digits below one nano-dollar per million tokens are rounded up. Undefined for negative or non-finite
 * numbers, prices above the maximum, and anything but a number.
 */
export function parseUsdPerToken(value: unknown): NanosPerMillion | undefined {
  if (typeof value !== 'number') return undefined;
  const match = NUMBER_TEXT.exec(String(value));
  if (match === null) return undefined;
  const [, whole = '0', fraction = '', exponent = '0'] = match;
  const digits = BigInt(whole + fraction);
  const shift = Number(exponent) - fraction.length + PLACES;
  const price = shift >= 0 ? digits * 10n ** BigInt(shift) : ceilDivide(digits, 10n ** BigInt(-shift));
  return price > NANOS_PER_MILLION_MAX ? undefined : nanosPerMillion(price);
}

function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
