/** `keyfold usage`: what was used and what it cost, summed. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { addExamples } from '../help.ts';
import { readTime } from '../option-value.ts';
import type { ListColumn } from '../remote/list.ts';
import { renderList } from '../remote/list.ts';
import { type JsonObject, isJsonObject, objectsOf } from '../remote/json.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';

const GROUPS = ['key', 'project', 'model', 'provider', 'credential', 'hour', 'day', 'month'];
/** What reads from left to right: what it is about, then how much, then what it cost. */
const MEASURES = /(_tokens|_usd|requests|calls|errors|count|_ms)$/;

interface UsageOptions extends RemoteOptions {
  readonly groupBy?: string;
  readonly from?: string;
  readonly to?: string;
}

export function addUsage(program: Command, context: Context): void {
  const usage = addRemoteOptions(program.command('usage'))
    .description('Show calls, tokens and cost, summed by key, project, model, provider, credential or time.')
    .addOption(new Option('--group-by <what>', 'one row for each').choices(GROUPS))
    .addOption(new Option('--from <time>', 'from this time on (RFC 3339)').argParser(readTime))
    .addOption(new Option('--to <time>', 'until before this time (RFC 3339)').argParser(readTime))
    .action(async (options: UsageOptions) => {
      const session = openSession(context, options);
      const query = { group_by: options.groupBy, from: options.from, to: options.to };
      const answer = await session.client.send({ method: 'GET', path: '/v1/usage', query });
      const rows = objectsOf(answer['data']);
      session.print(answer, () =>
        rows.length === 0
          ? 'Nothing was used in this time.\n'
          : renderList(columnsOf(rows), rows, session.style),
      );
    });
  addExamples(usage, 'keyfold usage --group-by key --from 2030-01-01T00:00:00Z --to 2030-02-01T00:00:00Z');
}

/** One column a member, whatever the sums are grouped by. */
function columnsOf(rows: readonly JsonObject[]): ListColumn[] {
  const names = [
    ...new Set(rows.flatMap((row) => Object.keys(row).filter((name) => !isJsonObject(row[name])))),
  ];
  return names
    .filter((name) => name !== 'object')
    .sort((a, b) => Number(MEASURES.test(a)) - Number(MEASURES.test(b)))
    .map((name) => ({
      title: name.replaceAll('_', ' '),
      path: name,
      align: MEASURES.test(name) ? 'right' : 'left',
    }));
}
