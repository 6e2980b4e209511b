/** `keyfold audit checkpoints`: the signed checkpoints, as a table or as the notes that a verifier reads. */
import { type Command, Option } from 'commander';
import type { Context } from '../../context.ts';
import { addExamples } from '../../help.ts';
import { readCount } from '../../option-value.ts';
import { objectsOf, textOf } from '../../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, askList, showList } from '../../remote/list.ts';
import { openSession } from '../../remote/session.ts';

export const CHECKPOINT_LIST: ListView = {
  path: '/v1/audit/checkpoints',
  columns: [
    { title: 'id', path: 'id' },
    { title: 'node', path: 'node', align: 'right' },
    { title: 'records', path: 'size', align: 'right' },
    { title: 'signed', path: 'time' },
    { title: 'head', path: 'head' },
  ],
  empty: 'There are no checkpoints yet: the first is signed within a minute of the first record.',
};

interface CheckpointOptions extends PageOptions {
  readonly node?: number;
  readonly notes?: true;
}

export function addAuditCheckpoints(audit: Command, context: Context): void {
  const command = addPageOptions(audit.command('checkpoints'))
    .description('List the signed checkpoints of the audit log, newest first.')
    .addOption(new Option('--node <number>', 'only of this node').argParser(readCount))
    .option('--notes', 'print the signed notes, oldest first, as they are appended to a checkpoint file')
    .action((options: CheckpointOptions) =>
      options.notes === true ? printNotes(context, options) : printTable(context, options),
    );
  addExamples(
    command,
    'keyfold audit checkpoints --limit 5',
    'keyfold audit checkpoints --all --notes > checkpoints',
  );
}

function printTable(context: Context, options: CheckpointOptions): Promise<void> {
  return showList(openSession(context, options), CHECKPOINT_LIST, { options, query: queryOf(options) });
}

async function printNotes(context: Context, options: CheckpointOptions): Promise<void> {
  const session = openSession(context, options);
  const answer = await askList(session, CHECKPOINT_LIST, { options, query: queryOf(options) });
  const notes = objectsOf(answer['data']).map((row) => textOf(row['note']) ?? '');
  session.print(answer, () =>
    notes
      .toReversed()
      .map((note) => `${note}\n`)
      .join(''),
  );
  if (answer['has_more'] === true) session.remark('There are older ones: add --all.');
}

function queryOf({ node }: CheckpointOptions): Readonly<Record<string, string | undefined>> {
  return { node: node?.toString() };
}
