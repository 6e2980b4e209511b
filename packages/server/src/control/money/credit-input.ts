/** What may be said of an entry of the credit's books, and what becomes of it. */
import { type Nanos, ZERO_NANOS, formatUsd, nanos, parseUsd } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import { type CreditEntry, ENTRY_KINDS, accountsOf } from '../../ledger/credit/account.ts';
import { PAR, USD, isCurrency, minorDigits, parseAmount, toUsd } from '../../ledger/credit/currency.ts';
import type { CurrencyRate } from '../../ledger/credit/rate-store.ts';
import { name, z } from '../schemas.ts';

const TEXT_MAX = 200;

const currency = z
  .string()
  .refine((code) => isCurrency(code), 'must be a currency of ISO 4217 in capitals, such as EUR');

/** Dollars for one unit of a currency. */
export const usdPerUnit = z
  .union([z.string(), z.number()])
  .transform((text, context): Nanos => {
    const rate = parseUsd(text);
    if (rate !== undefined && rate > 0n) return rate;
    context.addIssue({ code: 'custom', message: 'must be a decimal above zero of at most nine decimals' });
    return z.NEVER;
  })
  .openapi({ type: 'string', example: '1.08' });

export const entryBody = z.strictObject({
  kind: z.enum(ENTRY_KINDS),
  /** In the currency; an adjustment may be below zero. */
  amount: z.union([z.string().max(40), z.number()]).openapi({ type: 'string', example: '100.00' }),
  currency: currency.default(USD),
  /** The currency's rate of this entry; without it, that of the organization. */
  usd_per_unit: usdPerUnit.optional(),
  rate_source: name.max(TEXT_MAX).optional(),
  /** Of whoever posts it, such as a payment's number: there is one entry of each. */
  reference: name.max(TEXT_MAX).optional(),
  note: name.max(TEXT_MAX).optional(),
});

export type EntryBody = z.infer<typeof entryBody>;

type Worth = Pick<CreditEntry, 'amount' | 'from' | 'to' | 'currency' | 'paid' | 'usdPerUnit' | 'rateSource'>;

/** The amount in dollars, and between which accounts it moves. `rate` is the organization's for the currency. */
export function readWorth(body: EntryBody, rate: CurrencyRate | undefined): Worth | Denial {
  const paid = parseAmount(String(body.amount), body.currency);
  if (paid === undefined) return refuseAmount(body.currency);
  const isAdded = body.kind === 'refund' ? paid < 0n : paid > 0n;
  if (body.kind !== 'adjustment' && paid <= 0n) return refuse('amount', 'must be above zero');
  const locked = readRate(body, rate);
  if (locked instanceof Denial) return locked;
  const amount = usdOf(paid < 0n ? -paid : paid, { currency: body.currency, ...locked });
  if (amount === undefined) return refuse('amount', 'is beyond what the books can hold');
  if (amount === ZERO_NANOS) return refuse('amount', 'comes to no nano-dollar');
  return {
    amount,
    ...accountsOf(body.kind, isAdded),
    currency: body.currency,
    paid: paid < 0n ? -paid : paid,
    ...locked,
  };
}

type Locked = Pick<CreditEntry, 'usdPerUnit' | 'rateSource'>;

function readRate(body: EntryBody, rate: CurrencyRate | undefined): Locked | Denial {
  if (body.currency === USD) {
    if (body.usd_per_unit === undefined && body.rate_source === undefined) {
      return { usdPerUnit: PAR, rateSource: undefined };
    }
    return refuse(body.usd_per_unit === undefined ? 'rate_source' : 'usd_per_unit', 'is not for dollars');
  }
  if (body.usd_per_unit !== undefined) {
    if (body.rate_source !== undefined)
      return { usdPerUnit: body.usd_per_unit, rateSource: body.rate_source };
    return refuse('rate_source', 'must say where the rate is from');
  }
  if (body.rate_source !== undefined) return refuse('usd_per_unit', 'must be given with its source');
  if (rate !== undefined) return { usdPerUnit: rate.usdPerUnit, rateSource: rate.source };
  return refuse('usd_per_unit', `must be given: no rate of ${body.currency} is set`);
}

function usdOf(paid: bigint, of: { currency: string; usdPerUnit: Nanos }): Nanos | undefined {
  try {
    return toUsd(paid, of);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function refuseAmount(code: string): Denial {
  const digits = code === USD ? 9 : minorDigits(code);
  return refuse('amount', `must be a decimal amount of ${code} of at most ${digits} decimals`);
}

function refuse(param: string, problem: string): Denial {
  return new Denial('invalid_request', { param, message: `'${param}' ${problem}.` });
}

/** What is paid, as one would write it in its currency. */
export function formatPaid({ currency: code, paid }: Pick<CreditEntry, 'currency' | 'paid'>): string {
  if (code === USD) return formatUsd(nanos(paid));
  const digits = minorDigits(code);
  const text = String(paid).padStart(digits + 1, '0');
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
