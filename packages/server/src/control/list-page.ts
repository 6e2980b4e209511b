/** Cuts a page out of rows that were read one beyond the limit, in the form of every list: newest first. */
import type { Json } from './endpoint.ts';

export interface PageQuery {
  readonly limit: number;
  readonly before?: string | undefined;
}

/** With `before` the rows come oldest first, nearest to the cursor; the page is turned round. */
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

export function renderTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
