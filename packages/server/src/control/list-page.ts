/** Cuts pages in the form of every list: rows that were read one beyond the limit, or all of them in memory. */
import type { Json } from './endpoint.ts';

export interface PageQuery {
  readonly limit: number;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

/** With `before` the rows come nearest to the cursor first; the page is turned round. */
export function renderPage<Row>(
  rows: readonly Row[],
  query: PageQuery,
  of: { readonly id: (row: Row) => string; readonly view: (row: Row) => Json },
): Json {
  const page = rows.slice(0, query.limit);
  if (query.before !== undefined) page.reverse();
  const [first] = page;
  const last = page.at(-1);
  return {
    object: 'list',
    data: page.map((row) => of.view(row)),
    has_more: rows.length > query.limit,
    first_id: first === undefined ? null : of.id(first),
    last_id: last === undefined ? null : of.id(last),
  };
}

/**
 * The page's rows and one beyond, as a store would have read them. Ids sort by time, so that `newest` is downwards; a
 * cursor need not exist any more.
 */
export function cutPage<Row>(
  rows: readonly Row[],
  query: PageQuery,
  of: { readonly id: (row: Row) => string; readonly order: 'newest' | 'alphabetical' },
): Row[] {
  const sign = of.order === 'newest' ? -1 : 1;
  const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -sign : sign);
  const sorted = rows.toSorted((a, b) => compare(of.id(a), of.id(b)));
  const { after, before } = query;
  const wanted = sorted.filter(
    (row) =>
      (after === undefined || compare(of.id(row), after) > 0) &&
      (before === undefined || compare(of.id(row), before) < 0),
  );
  if (before !== undefined) wanted.reverse();
  return wanted.slice(0, query.limit + 1);
}

export function renderTime(ms: number): string;
export function renderTime(ms: number | undefined): string | null;
export function renderTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
