/** Cuts the time of a report: whole days and whole hours, which have sums, and the rest, which is counted from the calls. */

const HOUR_MS = 3_600_000;
const HOURS_PER_DAY = 24;

export type Part =
  /** Days or hours since 1970; without an end where the report has none. */
  | { readonly of: 'days' | 'hours'; readonly from: number | undefined; readonly to: number | undefined }
  | { readonly of: 'calls'; readonly fromMs: number; readonly toMs: number };

/** Parts that together are the time, without an overlap. `widest` is what the report's groups can be read from. */
export function cutTime(
  { fromMs, toMs }: { readonly fromMs?: number | undefined; readonly toMs?: number | undefined },
  widest: 'hour' | 'day',
): Part[] {
  const first = fromMs === undefined ? undefined : Math.ceil(fromMs / HOUR_MS);
  const end = toMs === undefined ? undefined : Math.floor(toMs / HOUR_MS);
  if (fromMs !== undefined && toMs !== undefined && (first ?? 0) > (end ?? 0)) {
    return [{ of: 'calls', fromMs, toMs }];
  }
  const parts: Part[] = widest === 'day' ? cutHours(first, end) : [{ of: 'hours', from: first, to: end }];
  if (fromMs !== undefined && first !== undefined) {
    parts.push({ of: 'calls', fromMs, toMs: first * HOUR_MS });
  }
  if (toMs !== undefined && end !== undefined) parts.push({ of: 'calls', fromMs: end * HOUR_MS, toMs });
  const some = parts.filter((part) =>
    part.of === 'calls'
      ? part.fromMs < part.toMs
      : part.from === undefined || part.to === undefined || part.from < part.to,
  );
  // A time of no length has a sum, too: nothing.
  return some.length > 0 ? some : parts.slice(0, 1);
}

/** Whole days, and the hours before the first and after the last of them. */
function cutHours(first: number | undefined, end: number | undefined): Part[] {
  const firstDay = first === undefined ? undefined : Math.ceil(first / HOURS_PER_DAY);
  const endDay = end === undefined ? undefined : Math.floor(end / HOURS_PER_DAY);
  if (firstDay !== undefined && endDay !== undefined && firstDay > endDay) {
    return [{ of: 'hours', from: first, to: end }];
  }
  const parts: Part[] = [{ of: 'days', from: firstDay, to: endDay }];
  if (firstDay !== undefined) parts.push({ of: 'hours', from: first, to: firstDay * HOURS_PER_DAY });
  if (endDay !== undefined) parts.push({ of: 'hours', from: endDay * HOURS_PER_DAY, to: end });
  return parts;
}
