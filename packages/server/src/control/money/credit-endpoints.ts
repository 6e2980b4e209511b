/** `/v1/credits`: what an organization has left of its prepaid credit, and the entries of its books. */
import { type Nanos, formatUsd, nanos } from '@keyfold/protocol';
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import type { NewId } from '../../kernel/new-id.ts';
import type { Principal } from '../../keys/key.ts';
import {
  type CreditAccount,
  type CreditEntry,
  ENTRIES_MAX,
  creditedBy,
} from '../../ledger/credit/account.ts';
import type { CreditStore } from '../../ledger/credit/credit-store.ts';
import { USD, isCurrency } from '../../ledger/credit/currency.ts';
import type { CurrencyRate, RateStore } from '../../ledger/credit/rate-store.ts';
import { describeChange } from '../describe-change.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { cutPage, renderPage } from '../list-page.ts';
import { listOf, listQuery, z } from '../schemas.ts';
import { creditView, entryView, rateView, renderCredit, renderEntry, renderRate } from './credit-view.ts';
import { type EntryBody, entryBody, formatPaid, readWorth, usdPerUnit } from './credit-input.ts';

export interface CreditRooms {
  readonly credits: CreditStore;
  readonly rates: RateStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

const TAG = 'Credit';

const currencyParams = z.strictObject({ currency: z.string().max(10) });

export function creditEndpoints(rooms: CreditRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/credits',
      permission: 'credits:read',
      tag: TAG,
      summary: "What is left of the organization's prepaid credit.",
      response: { status: 200, schema: creditView },
      handle: async ({ principal }) => {
        const account = await rooms.credits.load(principal.key.organizationId);
        return ok(renderCredit(account && (await rooms.credits.stateOf(account))));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/credits/entries',
      permission: 'credits:read',
      tag: TAG,
      summary: 'List the entries of the books, newest first.',
      query: listQuery,
      response: { status: 200, schema: listOf(entryView) },
      handle: async ({ principal, query }) => {
        const account = await rooms.credits.load(principal.key.organizationId);
        const entries = account === undefined ? [] : await rooms.credits.entriesOf(account);
        const of = { id: ({ id }: CreditEntry) => id, view: renderEntry, order: 'newest' } as const;
        return ok(renderPage(cutPage(entries.toReversed(), query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'post',
      path: '/v1/credits/entries',
      permission: 'credits:write',
      tag: TAG,
      summary:
        'Enter a top-up, a grant, a refund or an adjustment. The first opens the account: calls then need credit.',
      body: entryBody,
      response: { status: 201, schema: entryView },
      handle: ({ principal, body }) => enter(rooms, principal, body),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/credits/rates',
      permission: 'credits:read',
      tag: TAG,
      summary: 'List what currencies are worth where an entry does not say.',
      response: { status: 200, schema: listOf(rateView) },
      handle: async ({ principal }) => {
        const rates = await rooms.rates.list(principal.key.organizationId);
        const data = rates.map((rate) => renderRate(rate));
        return ok({ object: 'list', data, has_more: false, first_id: null, last_id: null });
      },
    }),
    defineEndpoint({
      method: 'put',
      path: '/v1/credits/rates/{currency}',
      permission: 'credits:write',
      tag: TAG,
      summary: 'Set what a currency is worth from the next entry on.',
      params: currencyParams,
      body: z.strictObject({ usd_per_unit: usdPerUnit, source: z.string().min(1).max(200) }),
      response: { status: 200, schema: rateView },
      handle: ({ principal, params, body }) => setRate(rooms, principal, { ...params, ...body }),
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/credits/rates/{currency}',
      permission: 'credits:write',
      tag: TAG,
      summary: 'Remove the rate of a currency: its entries must then give one.',
      params: currencyParams,
      response: { status: 204 },
      handle: ({ principal: { key }, params: { currency } }) =>
        Promise.resolve({
          isAdditive: true,
          steps: [rooms.rates.removeStep({ organizationId: key.organizationId, currency })],
          refusals: [new Denial('not_found')],
          events: [{ action: 'credit.rate_removed', target: currency }],
          reply: { status: 204, body: undefined },
        }),
    }),
  ];
}

async function enter(rooms: CreditRooms, { key }: Principal, body: EntryBody): Promise<Change | Denial> {
  const { organizationId } = key;
  const rate = body.currency === USD ? undefined : await rooms.rates.find(organizationId, body.currency);
  const worth = readWorth(body, rate);
  if (worth instanceof Denial) return worth;
  const { reference } = body;
  if (reference !== undefined && (await rooms.credits.hasReference(organizationId, reference))) {
    return new Denial('conflict', { message: 'There is an entry of this reference.', param: 'reference' });
  }
  const before = await rooms.credits.load(organizationId);
  if (before !== undefined && before.entries >= ENTRIES_MAX) {
    return new Denial('conflict', {
      message: `The books have ${ENTRIES_MAX} entries, which is all they hold.`,
    });
  }
  const credited = withinRange((before?.credited ?? 0n) + creditedBy(worth));
  if (credited === undefined) {
    return new Denial('invalid_request', {
      param: 'amount',
      message: "'amount' is beyond what the books hold.",
    });
  }
  if (body.kind === 'refund' && before === undefined) return refundTooMuch();
  const createdAtMs = rooms.clock.nowMs();
  const entry: CreditEntry = {
    id: rooms.newId('creditEntry'),
    organizationId,
    number: (before?.entries ?? 0) + 1,
    kind: body.kind,
    ...worth,
    reference,
    note: body.note,
    actor: key.id,
    createdAtMs,
  };
  const opened = { id: rooms.newId('creditAccount'), organizationId, openedAtMs: createdAtMs };
  const after: CreditAccount = { ...(before ?? opened), credited, entries: entry.number };
  // What calls hold cannot be paid back, and neither can what they have spent meanwhile.
  const covered = body.kind === 'refund' ? [rooms.credits.coveredStep(after, credited)] : [];
  return {
    steps: [...covered, ...rooms.credits.enterSteps(entry, { before, after })],
    refusals: body.kind === 'refund' ? [refundTooMuch()] : [],
    events: [{ action: 'credit.entered', target: entry.id, detail: eventDetail(entry, after) }],
    reply: { status: 201, body: renderEntry(entry) },
  };
}

function refundTooMuch(): Denial {
  return new Denial('invalid_request', {
    param: 'amount',
    message: "'amount' is more than what is left of the credit.",
  });
}

function withinRange(amount: bigint): Nanos | undefined {
  try {
    return nanos(amount);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

async function setRate(
  rooms: CreditRooms,
  { key }: Principal,
  of: { readonly currency: string; readonly usd_per_unit: Nanos; readonly source: string },
): Promise<Change | Denial> {
  if (!isCurrency(of.currency)) {
    return new Denial('invalid_request', {
      param: 'currency',
      message: "'currency' must be a currency of ISO 4217 in capitals, such as EUR.",
    });
  }
  const rate = {
    organizationId: key.organizationId,
    currency: of.currency,
    usdPerUnit: of.usd_per_unit,
    source: of.source,
    updatedAtMs: rooms.clock.nowMs(),
  };
  const terms = (each: CurrencyRate) => ({ usd_per_unit: formatUsd(each.usdPerUnit), source: each.source });
  const before = await rooms.rates.find(key.organizationId, rate.currency);
  const detail = {
    ...terms(rate),
    ...(before === undefined ? {} : describeChange(terms(before), terms(rate))),
  };
  return {
    isAdditive: true,
    steps: [rooms.rates.setStep(rate)],
    events: [{ action: 'credit.rate_set', target: rate.currency, detail }],
    reply: { status: 200, body: renderRate(rate) },
  };
}

function eventDetail(entry: CreditEntry, after: CreditAccount) {
  return {
    kind: entry.kind,
    amount_usd: formatUsd(entry.amount),
    from: entry.from,
    to: entry.to,
    currency: entry.currency,
    amount: formatPaid(entry),
    usd_per_unit: formatUsd(entry.usdPerUnit),
    ...(entry.rateSource === undefined ? {} : { rate_source: entry.rateSource }),
    ...(entry.reference === undefined ? {} : { reference: entry.reference }),
    credited_usd: formatUsd(after.credited),
  };
}
