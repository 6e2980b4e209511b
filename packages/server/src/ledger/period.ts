/**
 * Budget periods: a day or a month of some time zone, all time, or a window that rolls with the clock. Spend is kept under
 * the period's start, so nothing needs to be reset.
 *
 * A rolling window is cut into `WINDOW_PARTS` parts, and spend is kept by part. What counts are the parts that the window
 * touches, the oldest as a whole: so what is spent in any interval as long as the window stays within the cap.
 */

export const PERIODS = ['day', 'month', 'total', 'rolling'] as const;
export type Period = (typeof PERIODS)[number];
type CalendarPeriod = Exclude<Period, 'total' | 'rolling'>;

export const UTC = 'UTC';

/** What a budget says of its periods. */
export interface PeriodRule {
  readonly period: Period;
  /** An IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
  /** Of a rolling window, and of it alone: seconds, a multiple of `WINDOW_PARTS`. */
  readonly windowS?: number | undefined;
}

/** One minute to 31 days. */
export const WINDOW_S = { min: 60, max: 31 * 86_400 };
export const WINDOW_PARTS = 60;

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

const DAY_MS = 86_400_000;

/** The start of the period that a time lies in, in milliseconds since 1970; 0 for `total`, its part's for a window. */
export function periodStartMs(rule: PeriodRule, atMs: number): number {
  return rule.windowS === undefined
    ? (spanAt(rule, atMs)?.startMs ?? 0)
    : partStartMs(rule.windowS * 1_000, atMs);
}

/** When the period that a time lies in ends, which is when its budget is whole again; `undefined` where it never is. */
export function periodEndMs(rule: PeriodRule, atMs: number): number | undefined {
  return spanAt(rule, atMs)?.endMs;
}

/** Of a rolling window that ends at a time: the start of the oldest part that it touches. `undefined` for other periods. */
export function windowStartMs({ windowS }: PeriodRule, atMs: number): number | undefined {
  return windowS === undefined ? undefined : partStartMs(windowS * 1_000, atMs - windowS * 1_000);
}

/** By what a period is told of once: a window, which has no end, once in as long as it is. */
export function noticeStartMs(rule: PeriodRule, atMs: number): number {
  if (rule.windowS === undefined) return periodStartMs(rule, atMs);
  const windowMs = rule.windowS * 1_000;
  return Math.floor(atMs / windowMs) * windowMs;
}

function partStartMs(windowMs: number, atMs: number): number {
  const partMs = windowMs / WINDOW_PARTS;
  return Math.floor(atMs / partMs) * partMs;
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
  if (period === 'total' || period === 'rolling') return undefined;
  return timeZone === UTC ? utcSpan(period, atMs) : zonedSpan(period, timeZone, atMs);
}

function utcSpan(period: CalendarPeriod, atMs: number): Span {
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
function zonedSpan(period: CalendarPeriod, timeZone: string, atMs: number): Span {
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
