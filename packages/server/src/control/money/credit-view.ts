/** What the API shows of prepaid credit: its state, the entries of its books, and rates. */
import { type Nanos, ZERO_NANOS, formatUsd } from '@keyfold/protocol';
import { ACCOUNTS, type CreditEntry, type CreditState, ENTRY_KINDS } from '../../ledger/credit/account.ts';
import type { CurrencyRate } from '../../ledger/credit/rate-store.ts';
import type { Json } from '../endpoint.ts';
import { renderTime } from '../list-page.ts';
import { z } from '../schemas.ts';
import { formatPaid } from './credit-input.ts';

export const creditView = z
  .object({
    object: z.literal('credit'),
    /** False: the organization has no account, and its calls are bounded by budgets alone. */
    enabled: z.boolean(),
    credited_usd: z.string(),
    posted_usd: z.string(),
    held_usd: z.string(),
    remaining_usd: z.string(),
    opened_at: z.string().nullable(),
  })
  .openapi('Credit');

export const entryView = z
  .object({
    object: z.literal('credit_entry'),
    id: z.string(),
    number: z.number(),
    kind: z.enum(ENTRY_KINDS),
    /** Positive; it moves from one account to the other. */
    amount_usd: z.string(),
    from: z.enum(ACCOUNTS),
    to: z.enum(ACCOUNTS),
    currency: z.string(),
    amount: z.string(),
    usd_per_unit: z.string(),
    rate_source: z.string().nullable(),
    reference: z.string().nullable(),
    note: z.string().nullable(),
    actor: z.string(),
    created_at: z.string(),
  })
  .openapi('CreditEntry');

export const rateView = z
  .object({
    object: z.literal('currency_rate'),
    currency: z.string(),
    usd_per_unit: z.string(),
    source: z.string(),
    updated_at: z.string(),
  })
  .openapi('CurrencyRate');

export function renderCredit(state: CreditState | undefined): Json {
  const usd = (amount: Nanos = ZERO_NANOS) => formatUsd(amount);
  return {
    object: 'credit',
    enabled: state !== undefined,
    credited_usd: usd(state?.account.credited),
    posted_usd: usd(state?.posted),
    held_usd: usd(state?.held),
    remaining_usd: usd(state?.remaining),
    opened_at: renderTime(state?.account.openedAtMs),
  };
}

export function renderEntry(entry: CreditEntry): { readonly [name: string]: Json } {
  return {
    object: 'credit_entry',
    id: entry.id,
    number: entry.number,
    kind: entry.kind,
    amount_usd: formatUsd(entry.amount),
    from: entry.from,
    to: entry.to,
    currency: entry.currency,
    amount: formatPaid(entry),
    usd_per_unit: formatUsd(entry.usdPerUnit),
    rate_source: entry.rateSource ?? null,
    reference: entry.reference ?? null,
    note: entry.note ?? null,
    actor: entry.actor,
    created_at: renderTime(entry.createdAtMs),
  };
}

export function renderRate(rate: CurrencyRate): Json {
  return {
    object: 'currency_rate',
    currency: rate.currency,
    usd_per_unit: formatUsd(rate.usdPerUnit),
    source: rate.source,
    updated_at: renderTime(rate.updatedAtMs),
  };
}
