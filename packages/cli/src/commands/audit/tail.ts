/** `keyfold audit tail`: events while they are written. A stream that breaks is taken up where it was. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { readServerEvents } from '../../audit/server-events.ts';
import type { Context } from '../../context.ts';
import { CommandFailure, EXIT } from '../../exit-code.ts';
import { addExamples } from '../../help.ts';
import { readCount } from '../../option-value.ts';
import { UnreachableError } from '../../remote/control-client.ts';
import { type JsonObject, showValue, textOf } from '../../remote/json.ts';
import { type RemoteOptions, type Session, addRemoteOptions, openSession } from '../../remote/session.ts';
import { escapeUnsafe } from '../../terminal/table.ts';
import { type FilterOptions, addFilterOptions, filterQuery, showDetail } from './filter-options.ts';

/** Before a stream that broke is taken up. */
const RETRY_MS = 1_000;
/** In a row, without an event between them. */
const RETRIES_MAX = 60;

interface TailOptions extends RemoteOptions, FilterOptions {
  readonly after?: string;
  readonly limit?: number;
}

export function addAuditTail(audit: Command, context: Context): void {
  const tail = addFilterOptions(addRemoteOptions(audit.command('tail')))
    .description('Follow the audit log: events as they are written, one line each.')
    .option('--after <id>', 'everything after this event, then what comes')
    .addOption(new Option('--limit <events>', 'end after so many').argParser(readCount))
    .action((options: TailOptions) => follow(context, options));
  addExamples(tail, 'keyfold audit tail --decision denied', "keyfold audit tail --type 'key.*' --json");
}

async function follow(context: Context, options: TailOptions): Promise<void> {
  const session = openSession(context, options);
  let after = options.after;
  let left = options.limit ?? Infinity;
  for (let failures = 0; left > 0;) {
    try {
      const query = { ...filterQuery(options), after };
      const pieces = session.client.stream({ path: '/v1/audit/stream', query });
      for await (const event of readServerEvents(pieces)) {
        failures = 0;
        if (event.name !== 'message') {
          tellApart(session, event);
          after = resumeOf(event.data) ?? after;
          continue;
        }
        after = event.id ?? after;
        print(context, session, { options, event: event.data });
        if (--left === 0) return;
      }
    } catch (error) {
      if (!(error instanceof UnreachableError) || failures > RETRIES_MAX) throw error;
    }
    // One that had something to say is taken up at once.
    if (failures > 0) await pause(RETRY_MS);
  }
}

/** What is no record: records that are kept no more, or that the server ends the stream. */
function tellApart(session: Session, { name, data }: { name: string; data: JsonObject }): void {
  if (name === 'gap') {
    session.remark(`Records ${showValue(data['first'])} to ${showValue(data['last'])} are kept no more.`);
    return;
  }
  if (name !== 'dropped') return;
  const reason = showValue(data['reason']);
  if (textOf(data['resume']) !== undefined) {
    session.remark(`The server ended the stream (${reason}); it is taken up.`);
    return;
  }
  throw new CommandFailure(EXIT.failure, `The server ended the stream: ${escapeUnsafe(reason)}.`);
}

function resumeOf(data: JsonObject): string | undefined {
  return textOf(data['resume']);
}

function print(
  { stdout }: Context,
  { style }: Session,
  { options, event }: { readonly options: TailOptions; readonly event: JsonObject },
): void {
  if (options.json === true) {
    stdout.write(`${JSON.stringify(event)}\n`);
    return;
  }
  const [time, action, actor, target, address] = ['time', 'action', 'actor', 'target', 'address'].map(
    (name) => escapeUnsafe(showValue(event[name])),
  );
  const role = event['decision'] === 'denied' ? 'bad' : 'heading';
  const detail = escapeUnsafe(showDetail(event));
  stdout.write(
    `${style('quiet', time ?? '')} ${style(role, action ?? '')} ${actor} → ${target} from ${address} ${style('quiet', detail)}\n`,
  );
}
