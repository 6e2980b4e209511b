/**
 * Prepaid credit: an organization that has an account spends no more than what was paid in or granted. The books are kept in
 * double entry: every entry moves one amount from one account to another, and is never changed. What calls cost is not
 * entered a second time: it is posted on the account's balances like on those of a budget, as a whole and by day.
 */
import type { Id, Nanos } from '@keyfold/protocol';
import type { Hold } from '../hold.ts';
import { UTC, periodStartMs } from '../period.ts';

export interface CreditAccount {
  readonly id: Id<'creditAccount'>;
  readonly organizationId: Id<'organization'>;
  /** What all entries come to: what may be spent in all. Below zero when more was taken back than was left. */
  readonly credited: Nanos;
  readonly entries: number;
  readonly openedAtMs: number;
}

/** An account with what its calls have spent and hold. */
export interface CreditState {
  readonly account: CreditAccount;
  readonly posted: Nanos;
  readonly held: Nanos;
  readonly remaining: Nanos;
}

/** Of one organization: the books are read, and every entry checked, as a whole. */
export const ENTRIES_MAX = 10_000;

export const ENTRY_KINDS = ['top_up', 'grant', 'refund', 'adjustment'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** The accounts of the books. `credit` is what the organization may spend, `usage` what its calls have cost. */
export const ACCOUNTS = ['credit', 'payments', 'grants', 'adjustments', 'usage'] as const;
export type AccountName = (typeof ACCOUNTS)[number];

export interface CreditEntry {
  readonly id: Id<'creditEntry'>;
  readonly organizationId: Id<'organization'>;
  /** From 1, without a gap. */
  readonly number: number;
  readonly kind: EntryKind;
  /** Above zero. */
  readonly amount: Nanos;
  readonly from: AccountName;
  readonly to: AccountName;
  readonly currency: string;
  /** What was paid, in the smallest unit of its currency (nano-dollars of dollars); above zero. */
  readonly paid: bigint;
  /** Dollars for one unit of the currency, as of this entry. */
  readonly usdPerUnit: Nanos;
  readonly rateSource: string | undefined;
  /** Of whoever posted it, such as a payment's number: an organization has one entry of each. */
  readonly reference: string | undefined;
  readonly note: string | undefined;
  /** The key that posted it, or `system`. */
  readonly actor: string;
  readonly createdAtMs: number;
}

const COUNTERPARTS: Readonly<Record<EntryKind, AccountName>> = {
  top_up: 'payments',
  refund: 'payments',
  grant: 'grants',
  adjustment: 'adjustments',
};

/** Between which accounts an amount of either sign moves: what is taken from the credit goes the other way. */
export function accountsOf(kind: EntryKind, isAdded: boolean): Pick<CreditEntry, 'from' | 'to'> {
  const counterpart = COUNTERPARTS[kind];
  return isAdded ? { from: counterpart, to: 'credit' } : { from: 'credit', to: counterpart };
}

/** What an entry adds to the credit, or takes from it. */
export function creditedBy({ to, amount }: Pick<CreditEntry, 'to' | 'amount'>): bigint {
  return to === 'credit' ? amount : -amount;
}

/** Where a call is held on an account: first on all of it, which its cap is for, then on its day, for the statement. */
export function creditHolds(account: CreditAccount, atMs: number): readonly [Hold, Hold] {
  const day = { period: 'day', timeZone: UTC } as const;
  return [
    { budgetId: account.id, periodStartMs: 0 },
    { budgetId: account.id, periodStartMs: periodStartMs(day, atMs) },
  ];
}
