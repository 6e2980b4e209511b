/** `keyfold calls`: the record of single calls, newest first as the API has them. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { addExamples } from '../help.ts';
import { readTime } from '../option-value.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { openSession } from '../remote/session.ts';

const CALL_LIST: ListView = {
  path: '/v1/calls',
  columns: [
    { title: 'time', path: 'created_at' },
    { title: 'id', path: 'id' },
    { title: 'request', path: 'request_id' },
    { title: 'key', path: 'key_id' },
    { title: 'provider', path: 'provider' },
    { title: 'model', path: 'model' },
    { title: 'status', path: 'status' },
    { title: 'outcome', path: 'outcome' },
    { title: 'input', path: 'input_tokens', align: 'right' },
    { title: 'output', path: 'output_tokens', align: 'right' },
    { title: 'cost usd', path: 'cost_usd', align: 'right' },
    { title: 'ms', path: 'duration_ms', align: 'right' },
  ],
  empty: 'There are no calls yet.',
};

interface CallOptions extends PageOptions {
  readonly key?: string;
  readonly project?: string;
  readonly model?: string;
  readonly from?: string;
  readonly to?: string;
}

export function addCalls(program: Command, context: Context): void {
  const calls = addPageOptions(program.command('calls'))
    .description('List calls, one row each.')
    .option('--key <id>', 'only of this key')
    .option('--project <id>', 'only of this project')
    .option('--model <name>', 'only of this model')
    .addOption(new Option('--from <time>', 'from this time on (RFC 3339)').argParser(readTime))
    .addOption(new Option('--to <time>', 'until before this time (RFC 3339)').argParser(readTime))
    .action((options: CallOptions) => {
      const { key, project, model, from, to } = options;
      const query = { key_id: key, project_id: project, model, from, to };
      return showList(openSession(context, options), CALL_LIST, { options, query });
    });
  addExamples(calls, 'keyfold calls --key key_01h455vb4pex5vsknk084sn02q --limit 20');
}
