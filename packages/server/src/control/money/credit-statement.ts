/** `GET /v1/credits/statement`: the books of some days, with the balance before, after each line, and at the end. */
import { type Nanos, formatUsd, nanos } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import type { Principal } from '../../keys/key.ts';
import {
  ACCOUNTS,
  type AccountName,
  type CreditEntry,
  ENTRY_KINDS,
  creditedBy,
} from '../../ledger/credit/account.ts';
import { type Endpoint, type Reply, defineEndpoint, ok } from '../endpoint.ts';
import { renderTime } from '../list-page.ts';
import { z } from '../schemas.ts';
import { renderCsv } from './csv.ts';
import type { CreditRooms } from './credit-endpoints.ts';
import { formatPaid } from './credit-input.ts';

/** Lines of one statement. */
const LINES_MAX = 10_000;
const DAY_MS = 86_400_000;

const day = z.iso.date().transform((text) => Date.parse(`${text}T00:00:00Z`));
const query = z.strictObject({
  /** The first day, UTC. */
  from: day,
  /** The day after the last. */
  to: day,
  format: z.enum(['json', 'csv']).default('json'),
});

const COLUMNS = [
  'at',
  'kind',
  'id',
  'from',
  'to',
  'amount_usd',
  'currency',
  'amount',
  'usd_per_unit',
  'rate_source',
  'reference',
  'note',
  'balance_usd',
] as const;
type Column = (typeof COLUMNS)[number];

const statementView = z
  .object({
    object: z.literal('credit_statement'),
    from: z.string(),
    to: z.string(),
    opening_usd: z.string(),
    closing_usd: z.string(),
    /** What calls of these days still hold: their cost is posted on the day of their reservation. */
    held_usd: z.string(),
    /** What each account gained in these days; all together come to nothing. */
    accounts: z.record(z.enum(ACCOUNTS), z.string()),
    lines: z.array(
      z.object({
        ...(Object.fromEntries(COLUMNS.map((column) => [column, z.string().nullable()])) as Record<
          Column,
          z.ZodNullable<z.ZodString>
        >),
        kind: z.enum([...ENTRY_KINDS, 'usage']),
      }),
    ),
  })
  .openapi('CreditStatement');

export function creditStatementEndpoint(rooms: CreditRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/credits/statement',
    permission: 'credits:read',
    tag: 'Credit',
    summary:
      'The books of some days: entries, what calls of each day have cost, and balances; `format=csv` as a file.',
    query,
    response: { status: 200, schema: statementView },
    handle: ({ principal, query: asked }) => render(rooms, principal, asked),
  });
}

interface Line {
  readonly atMs: number;
  /** What the credit gains by it. */
  readonly gain: bigint;
  readonly amount: Nanos;
  readonly from: AccountName;
  readonly to: AccountName;
  readonly entry: CreditEntry | undefined;
}

async function render(
  { credits }: CreditRooms,
  { key }: Principal,
  asked: z.infer<typeof query>,
): Promise<Reply | Denial> {
  if (asked.from >= asked.to) {
    return new Denial('invalid_request', { message: "'from' must be before 'to'.", param: 'from' });
  }
  const account = await credits.load(key.organizationId);
  const entries = account === undefined ? [] : await credits.entriesOf(account);
  const days = account === undefined ? [] : await credits.spentByDay(account, { fromMs: 0, toMs: asked.to });
  // A day's calls stand at its end.
  const spent = days.map(({ dayMs, posted }): Line => ({
    atMs: dayMs + DAY_MS - 1,
    gain: -posted,
    amount: posted,
    from: 'credit',
    to: 'usage',
    entry: undefined,
  }));
  const entered = entries.map((entry): Line => ({
    atMs: entry.createdAtMs,
    gain: creditedBy(entry),
    amount: entry.amount,
    from: entry.from,
    to: entry.to,
    entry,
  }));
  const all = [...entered, ...spent].toSorted((a, b) => a.atMs - b.atMs);
  const before = all.filter(({ atMs }) => atMs < asked.from);
  const within = all.filter(({ atMs, amount }) => atMs >= asked.from && atMs < asked.to && amount > 0n);
  if (within.length > LINES_MAX) {
    return new Denial('invalid_request', {
      message: `The statement has more than ${LINES_MAX} lines. Ask for fewer days.`,
      param: 'from',
    });
  }
  const opening = nanos(sum(before.map(({ gain }) => gain)));
  let balance: bigint = opening;
  const lines = within.map((line) => {
    balance += line.gain;
    return renderLine(line, nanos(balance));
  });
  if (asked.format === 'csv') {
    const content = renderCsv(
      COLUMNS,
      lines.map((line) => COLUMNS.map((column) => line[column] ?? '')),
    );
    return { status: 200, body: undefined, text: { contentType: 'text/csv; charset=utf-8', content } };
  }
  const held = days.filter(({ dayMs }) => dayMs >= asked.from).map((each) => each.held);
  return ok({
    object: 'credit_statement',
    from: renderTime(asked.from),
    to: renderTime(asked.to),
    opening_usd: formatUsd(opening),
    closing_usd: formatUsd(nanos(balance)),
    held_usd: formatUsd(nanos(sum(held))),
    accounts: Object.fromEntries(ACCOUNTS.map((name) => [name, formatUsd(gainOf(name, within))])),
    lines,
  });
}

function gainOf(account: AccountName, lines: readonly Line[]): Nanos {
  const gained = sum(lines.filter(({ to }) => to === account).map(({ amount }) => amount));
  return nanos(gained - sum(lines.filter(({ from }) => from === account).map(({ amount }) => amount)));
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}

function renderLine({ atMs, amount, from, to, entry }: Line, balance: Nanos): Record<Column, string | null> {
  return {
    at: renderTime(atMs),
    kind: entry?.kind ?? 'usage',
    id: entry?.id ?? null,
    from,
    to,
    amount_usd: formatUsd(amount),
    currency: entry?.currency ?? null,
    amount: entry === undefined ? null : formatPaid(entry),
    usd_per_unit: entry === undefined ? null : formatUsd(entry.usdPerUnit),
    rate_source: entry?.rateSource ?? null,
    reference: entry?.reference ?? null,
    note: entry?.note ?? null,
    balance_usd: formatUsd(balance),
  };
}
