/**
 * Budget periods: a day or a month of some time zone, or all time. Spend is kept under the period's start, so nothing needs
 * to be reset.
 */

export const PERIODS = ['day', 'month', 'total'] as const;
export type Period = (typeof PERIODS)[number];

export const UTC = 'UTC';

/** What a budget says of its periods. */
export interface PeriodRule {
  readonly period: Period;
  /** An IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

const DAY_MS = 86_400_000;

/** The start of the period that a time lies in, in milliseconds since 1970; 0 for `total`. */
export function periodStartMs(rule: PeriodRule, atMs: number): number {
  return spanAt(rule, atMs)?.startMs ?? 0;
}

/** When the period that a time lies in ends, which is when its budget is whole again; `undefined` for `total`. */
export function periodEndMs(rule: PeriodRule, atMs: number): number | undefined {
  return spanAt(rule, atMs)?.endMs;
}

/** The name of a zone as the time zone database writes it; `undefined` where it has none. */
export function findTimeZone(name: string): string | undefined {
  // Offsets such as `+02:00` are no zones: they know no daylight saving time, and nobody means that.
  if (!ZONE_NAME.test(name)) return undefined;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

function spanAt({ period, timeZone }: PeriodRule, atMs: number): Span | undefined {
  if (period === 'total') return undefined;
  return timeZone === UTC ? utcSpan(period, atMs) : zonedSpan(period, timeZone, atMs);
}

function utcSpan(period: Exclude<Period, 'total'>, atMs: number): Span {
  if (period === 'day') {
    const startMs = Math.floor(atMs / DAY_MS) * DAY_MS;
    return { startMs, endMs: startMs + DAY_MS };
  }
  const at = new Date(atMs);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  return { startMs: Date.UTC(year, month), endMs: Date.UTC(year, month + 1) };
}

/** The period that was asked for last, of each zone: calls come in the order of time. There are some hundred zones. */
const lastSpans = new Map<string, Span>();

/** A day begins with its first moment, also where clocks leave midnight out, and is as long as it is there. */
function zonedSpan(period: Exclude<Period, 'total'>, timeZone: string, atMs: number): Span {
  const name = `${timeZone} ${period}`;
  const last = lastSpans.get(name);
  if (last !== undefined && atMs >= last.startMs && atMs < last.endMs) return last;
  const today = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs))
    .toZonedDateTimeISO(timeZone)
    .toPlainDate();
  const first = period === 'day' ? today : today.with({ day: 1 });
  const next = first.add(period === 'day' ? { days: 1 } : { months: 1 });
  const startOf = (date: Temporal.PlainDate) => date.toZonedDateTime(timeZone).epochMilliseconds;
  const span = { startMs: startOf(first), endMs: startOf(next) };
  lastSpans.set(name, span);
  return span;
}
