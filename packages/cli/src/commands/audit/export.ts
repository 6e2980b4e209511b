/** `keyfold audit export`: the log as a file, and the checkpoints that prove it beside it. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { writeDurably } from '../../audit/durable-output.ts';
import type { Context } from '../../context.ts';
import { CommandFailure, EXIT } from '../../exit-code.ts';
import { addExamples } from '../../help.ts';
import { readCount, readTime } from '../../option-value.ts';
import type { ControlClient } from '../../remote/control-client.ts';
import { objectsOf, textOf } from '../../remote/json.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../../remote/session.ts';
import { createProgress } from '../../terminal/progress.ts';

const FORMATS = ['jsonl', 'csv', 'syslog'] as const;
const MEBIBYTE = 1_048_576;
/** A hundred checkpoints each. */
const PAGES_MAX = 100_000;

interface ExportOptions extends RemoteOptions {
  readonly format: (typeof FORMATS)[number];
  readonly output?: string;
  readonly checkpoints?: string;
  readonly from?: string;
  readonly to?: string;
  readonly node?: number;
}

export function addAuditExport(audit: Command, context: Context): void {
  const exporting = addRemoteOptions(audit.command('export'))
    .description(
      "Write the audit log to a file. With an admin key that may do everything ('*') it can be verified.",
    )
    .addOption(new Option('--format <name>', 'jsonl can be verified').choices(FORMATS).default('jsonl'))
    .option('--output <file>', 'where to; standard output when it is not given')
    .option('--checkpoints <file>', 'write the signed checkpoints to this file, too')
    .addOption(new Option('--from <time>', 'from this time on (RFC 3339)').argParser(readTime))
    .addOption(new Option('--to <time>', 'until before this time (RFC 3339)').argParser(readTime))
    .addOption(new Option('--node <number>', 'only the records of this node').argParser(readCount))
    .action((options: ExportOptions) => exportLog(context, options));
  addExamples(
    exporting,
    'keyfold audit export --output audit.jsonl --checkpoints checkpoints.txt',
    'keyfold audit export --format csv --from 2026-11-01T00:00:00Z --output november.csv',
  );
}

async function exportLog(context: Context, options: ExportOptions): Promise<void> {
  const { cwd, stdout, stderr, env } = context;
  const { output, checkpoints, format, from, to, node } = options;
  if (options.json && output === undefined) {
    throw new CommandFailure(EXIT.usage, '--json goes with --output: without it the log itself is printed.');
  }
  const session = openSession(context, options);
  const { client } = session;
  // Before the records: a checkpoint that is made meanwhile would be beyond their end.
  const notes = checkpoints === undefined ? undefined : resolve(cwd, checkpoints);
  if (notes !== undefined) await writing(notes, writeDurably(notes, readNotes(client, node)));
  const query = { format, from, to, node: node?.toString() };
  const pieces = client.stream({ path: '/v1/audit/export', query });
  if (output === undefined) {
    for await (const piece of pieces) await print(stdout, piece);
    return;
  }
  const path = resolve(cwd, output);
  const progress = createProgress(stderr, { env });
  const show = (bytes: number) => progress.show(bytes, () => `${(bytes / MEBIBYTE).toFixed(1)} MiB exported`);
  const bytes = await writing(path, writeDurably(path, pieces, show)).finally(() => progress.clear());
  const answer = { object: 'audit_export', format, output: path, bytes, checkpoints: notes ?? null };
  session.print(answer, () => `Wrote ${path} (${bytes} bytes).\n`);
  if (to !== undefined || node !== undefined) {
    session.remark('It is a part of the log: verify it with --part.');
  }
}

/** Each note followed by an empty line, as in the server's own file. */
async function* readNotes(client: ControlClient, node: number | undefined): AsyncGenerator<string> {
  let after: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const query = { limit: '100', after };
    const page = await client.send({ method: 'GET', path: '/v1/audit/checkpoints', query });
    for (const { node: of, note } of objectsOf(page['data'])) {
      if (node === undefined || of === node) yield `${textOf(note) ?? ''}\n`;
    }
    after = textOf(page['last_id']);
    if (page['has_more'] !== true || after === undefined) return;
  }
  throw new CommandFailure(EXIT.failure, 'There are more checkpoints than can be read.');
}

/** What the file system says becomes a sentence. */
async function writing<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error && 'code' in error)) throw error;
    throw new CommandFailure(EXIT.failure, `${path} cannot be written (${String(error.code)}).`, {
      cause: error,
    });
  }
}

function print(stdout: Context['stdout'], piece: Uint8Array): Promise<void> {
  return new Promise((done, fail) => {
    stdout.write(piece, (error) => (error ? fail(error) : done()));
  });
}
