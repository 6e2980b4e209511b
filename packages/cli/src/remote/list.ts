/** Lists: one page or all of them, as a table or as the API's own list object. */
import { type Command, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { readCount } from '../option-value.ts';
import { type Column, renderTable } from '../terminal/table.ts';
import type { Style } from '../terminal/style.ts';
import { type JsonObject, memberAt, objectsOf, showValue, textOf } from './json.ts';
import { type RemoteOptions, type Session, addRemoteOptions } from './session.ts';

export interface PageOptions extends RemoteOptions {
  readonly limit?: number;
  readonly after?: string;
  readonly all?: true;
}

/** A column that shows the member at a dotted path, or what `show` makes of the row. */
export interface ListColumn extends Column {
  readonly path: string;
  readonly show?: (row: JsonObject) => string;
}

export interface ListView {
  readonly path: string;
  readonly columns: readonly ListColumn[];
  /** What is said instead of an empty table. */
  readonly empty: string;
}

type Query = Readonly<Record<string, string | undefined>>;

/** The API's largest page. */
const PAGE_ROWS_MAX = 100;
/** A million rows: beyond it, ask for less or use an export. */
const PAGES_MAX = 10_000;

export function addPageOptions(command: Command): Command {
  return addRemoteOptions(command)
    .addOption(new Option('--limit <rows>', 'rows of a page, at most 100').argParser(readCount))
    .option('--after <id>', 'begin after this row')
    .option('--all', 'every page');
}

/** One page, or every page as one list. */
export function askList(
  session: Session,
  view: ListView,
  { options, query = {} }: { options: PageOptions; query?: Query },
): Promise<JsonObject> {
  const asked = { ...query, limit: options.limit?.toString(), after: options.after };
  return options.all === true ? askAll(session, view, asked) : askPage(session, view, asked);
}

/** Asks for the list and prints it. */
export async function showList(
  session: Session,
  view: ListView,
  { options, query = {} }: { options: PageOptions; query?: Query },
): Promise<void> {
  const answer = await askList(session, view, { options, query });
  const rows = objectsOf(answer['data']);
  session.print(answer, () =>
    rows.length === 0 ? `${view.empty}\n` : renderList(view.columns, rows, session.style),
  );
  const lastId = textOf(answer['last_id']);
  if (answer['has_more'] === true && lastId !== undefined) {
    session.remark(`There is more: add --after ${lastId}, or --all.`);
  }
}

/** Columns of which no row has a value are left out, so that narrow terminals get what matters. */
export function renderList(
  columns: readonly ListColumn[],
  rows: readonly JsonObject[],
  style: Style,
): string {
  const used = columns.filter(({ path }) => rows.some((row) => memberAt(row, path) !== undefined));
  const cells = rows.map((row) =>
    used.map(({ path, show }) => (show === undefined ? showValue(memberAt(row, path)) : show(row))),
  );
  return renderTable(used, cells, style);
}

function askPage({ client }: Session, { path }: ListView, query: Query): Promise<JsonObject> {
  return client.send({ method: 'GET', path, query });
}

async function askAll(session: Session, view: ListView, query: Query): Promise<JsonObject> {
  const data: JsonObject[] = [];
  let after = query['after'];
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const limit = query['limit'] ?? String(PAGE_ROWS_MAX);
    const page = await askPage(session, view, { ...query, limit, after });
    data.push(...objectsOf(page['data']));
    const lastId = textOf(page['last_id']);
    if (page['has_more'] !== true || lastId === undefined || lastId === after) {
      return {
        object: 'list',
        data,
        has_more: false,
        first_id: data[0]?.['id'] ?? null,
        last_id: lastId ?? null,
      };
    }
    after = lastId;
  }
  throw new CommandFailure(EXIT.failure, 'The list is too long to be read as a whole.', {
    advice: 'Narrow it with the filters that --help shows.',
  });
}
