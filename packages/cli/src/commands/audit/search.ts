/** `keyfold audit search`: events that match, newest first. */
import { type Command, Option } from 'commander';
import type { Context } from '../../context.ts';
import { addExamples } from '../../help.ts';
import { readTime } from '../../option-value.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../../remote/list.ts';
import { openSession } from '../../remote/session.ts';
import { type FilterOptions, addFilterOptions, filterQuery, showDetail } from './filter-options.ts';

const EVENT_LIST: ListView = {
  path: '/v1/audit/events',
  columns: [
    { title: 'time', path: 'time' },
    { title: 'id', path: 'id' },
    { title: 'action', path: 'action' },
    { title: 'actor', path: 'actor' },
    { title: 'target', path: 'target' },
    { title: 'decision', path: 'decision' },
    { title: 'from', path: 'address' },
    { title: 'detail', path: 'detail', show: showDetail },
  ],
  empty: 'Nothing was found here.',
};

interface SearchOptions extends PageOptions, FilterOptions {
  readonly from?: string;
  readonly to?: string;
}

export function addAuditSearch(audit: Command, context: Context): void {
  const search = addFilterOptions(addPageOptions(audit.command('search')))
    .description('Search the audit log, newest first.')
    .addOption(new Option('--from <time>', 'from this time on (RFC 3339)').argParser(readTime))
    .addOption(new Option('--to <time>', 'until before this time (RFC 3339)').argParser(readTime))
    .action((options: SearchOptions) => {
      const query = { ...filterQuery(options), from: options.from, to: options.to };
      return showList(openSession(context, options), EVENT_LIST, { options, query });
    });
  addExamples(
    search,
    "keyfold audit search --type 'key.*,budget.set' --limit 20",
    'keyfold audit search --q "payments denied" --network 203.0.113.0/24 --all',
  );
}
