/** Currencies (ISO 4217) and what an amount of one is worth in US dollars at a rate. Whole numbers throughout. */
import { type Nanos, nanos } from '@keyfold/protocol';

export const USD = 'USD';
/** A dollar for a dollar. */
export const PAR: Nanos = nanos(1_000_000_000n);

const CODES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));
const DECIMAL = /^(-?)([0-9]{1,15})(?:\.([0-9]{1,9}))?$/;

export function isCurrency(code: string): boolean {
  return CODES.has(code);
}

/** Digits after the point, as ISO 4217 has them ("minor unit"): what a runtime says of them follows how prices are shown. */
export function minorDigits(currency: string): number {
  return MINOR_DIGITS.get(currency) ?? 2;
}

const MINOR_DIGITS: ReadonlyMap<string, number> = new Map([
  ...[
    'BIF',
    'CLP',
    'DJF',
    'GNF',
    'ISK',
    'JPY',
    'KMF',
    'KRW',
    'PYG',
    'RWF',
    'UGX',
    'UYI',
    'VND',
    'VUV',
    'XAF',
    'XOF',
    'XPF',
  ].map((code) => [code, 0] as const),
  ...['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'].map((code) => [code, 3] as const),
  ...['CLF', 'UYW'].map((code) => [code, 4] as const),
]);

/** An amount in the smallest unit of its currency; `undefined` for what is no decimal, or finer than that unit. */
export function parseAmount(text: string, currency: string): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '0', fraction = ''] = match;
  const digits = minorDigits(currency);
  const [kept, beyond] = [fraction.slice(0, digits), fraction.slice(digits)];
  // Dollars are what Keyfold counts in: of them alone every digit that the ledger has is taken.
  if (currency === USD) return signed(sign, BigInt(whole + fraction.padEnd(9, '0')));
  if (/[1-9]/.test(beyond)) return undefined;
  return signed(sign, BigInt(whole + kept.padEnd(digits, '0')));
}

/** Rounded towards zero to the nano-dollar, so that nothing is given away. Throws `RangeError` beyond the ledger's range. */
export function toUsd(amount: bigint, of: { readonly currency: string; readonly usdPerUnit: Nanos }): Nanos {
  const digits = of.currency === USD ? 9 : minorDigits(of.currency);
  return nanos((amount * of.usdPerUnit) / 10n ** BigInt(digits));
}

function signed(sign: string | undefined, amount: bigint): bigint {
  return sign === '-' ? -amount : amount;
}
