/** `keyfold budgets`: caps on the money of a key, a project or the organization in a period. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples, addGroup } from '../help.ts';
import { collectList, readCount, readUsd } from '../option-value.ts';
import { showValue } from '../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';

const SCOPES = ['key', 'project', 'organization'];
const PERIODS = ['day', 'month', 'total', 'rolling'];

const BUDGET_LIST: ListView = {
  path: '/v1/budgets',
  columns: [
    { title: 'scope', path: 'scope' },
    { title: 'of', path: 'scope_id' },
    { title: 'period', path: 'period' },
    { title: 'window s', path: 'window_seconds', align: 'right' },
    { title: 'cap usd', path: 'cap_usd', align: 'right' },
    { title: 'posted usd', path: 'posted_usd', align: 'right' },
    { title: 'held usd', path: 'held_usd', align: 'right' },
    { title: 'remaining usd', path: 'remaining_usd', align: 'right' },
    { title: 'resets', path: 'resets_at' },
  ],
  empty:
    'There are no budgets. Set one: keyfold budgets set --scope organization --period month --cap-usd 1000',
};

export function addBudgets(program: Command, context: Context): void {
  const budgets = addGroup(program, 'budgets', 'Caps on money: list with what is left, set.');
  addExamples(budgets, 'keyfold budgets list');
  addList(budgets, context);
  addSet(budgets, context);
}

interface ListOptions extends PageOptions {
  readonly scope?: string;
  readonly scopeId?: string;
}

function addList(budgets: Command, context: Context): void {
  const list = addPageOptions(budgets.command('list'))
    .description('List budgets: cap, posted, held by running calls, remaining.')
    .addOption(new Option('--scope <scope>', 'only of this scope').choices(SCOPES))
    .option('--scope-id <id>', 'only of this key, project or organization')
    .action((options: ListOptions) =>
      showList(openSession(context, options), BUDGET_LIST, {
        options,
        query: { scope: options.scope, scope_id: options.scopeId },
      }),
    );
  addExamples(list, 'keyfold budgets list --scope project');
}

interface SetOptions extends RemoteOptions {
  readonly scope: string;
  readonly scopeId?: string;
  readonly period: string;
  readonly windowSeconds?: number;
  readonly capUsd: string;
  readonly timeZone?: string;
  readonly alertPercents?: readonly number[];
  readonly raiseUsd?: string;
  readonly raiseUntil?: string;
}

function addSet(budgets: Command, context: Context): void {
  const set = addRemoteOptions(budgets.command('set'))
    .description(
      'Set a cap. It holds from the next call on. A budget begins to count when it is made; a new cap keeps its count.',
    )
    .addOption(new Option('--scope <scope>', 'whose money').choices(SCOPES).makeOptionMandatory())
    .option('--scope-id <id>', "the key or project; without it, the admin key's own project or organization")
    .addOption(new Option('--period <period>', 'in what time').choices(PERIODS).makeOptionMandatory())
    .addOption(
      new Option('--window-seconds <n>', 'of a rolling budget: how far back its cap reaches').argParser(
        readCount,
      ),
    )
    .addOption(new Option('--cap-usd <amount>', 'at most this').argParser(readUsd).makeOptionMandatory())
    .option('--time-zone <zone>', 'where its days and months begin, such as Europe/Berlin (UTC)')
    .addOption(new Option('--raise-usd <amount>', 'another cap, until --raise-until').argParser(readUsd))
    .addOption(
      new Option(
        '--alert-percents <list>',
        'shares of the cap at which to be told, such as 50,80,100',
      ).argParser((text) => collectList(text, undefined).map((percent) => readCount(percent))),
    )
    .option('--raise-until <time>', 'when the raise ends: RFC 3339, such as 2026-12-01T00:00:00Z')
    .action(async (options: SetOptions) => {
      const { scope, scopeId, period, capUsd, timeZone } = options;
      const raise = readRaise(options);
      const session = openSession(context, options);
      const body = {
        scope,
        scope_id: scopeId,
        period,
        window_seconds: options.windowSeconds,
        cap_usd: capUsd,
        time_zone: timeZone,
        raise,
        alert_percents: options.alertPercents,
      };
      const answer = await session.client.send({ method: 'PUT', path: BUDGET_LIST.path, body });
      session.print(answer, () => {
        const remaining = showValue(answer['remaining_usd']);
        const above = Array.isArray(answer['above']) ? answer['above'].length : 0;
        const note = above === 0 ? '' : `${above} lower budget(s) of what contains it refuse first.\n`;
        return `Set the ${period} budget of ${scopeId ?? `the ${scope}`} to ${capUsd} USD; remaining: ${remaining} USD.\n${note}`;
      });
    });
  addExamples(
    set,
    'keyfold budgets set --scope organization --period month --cap-usd 1000',
    'keyfold budgets set --scope project --period rolling --window-seconds 18000 --cap-usd 50',
  );
}

function readRaise({ raiseUsd, raiseUntil }: SetOptions): object | undefined {
  if (raiseUsd === undefined && raiseUntil === undefined) return undefined;
  if (raiseUsd === undefined || raiseUntil === undefined) {
    throw new CommandFailure(EXIT.usage, '--raise-usd and --raise-until go together.', {
      advice: 'A raise has a cap and an end.',
    });
  }
  return { cap_usd: raiseUsd, until: raiseUntil };
}
