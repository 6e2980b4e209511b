/** `keyfold credits`: the organization's prepaid credit, its books, and what currencies are worth. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { addExamples, addGroup } from '../help.ts';
import { showValue } from '../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';

const KINDS = ['top_up', 'grant', 'refund', 'adjustment'];

const ENTRY_LIST: ListView = {
  path: '/v1/credits/entries',
  columns: [
    { title: 'no', path: 'number', align: 'right' },
    { title: 'at', path: 'created_at' },
    { title: 'kind', path: 'kind' },
    { title: 'usd', path: 'amount_usd', align: 'right' },
    { title: 'from', path: 'from' },
    { title: 'to', path: 'to' },
    { title: 'paid', path: 'amount', align: 'right' },
    { title: 'in', path: 'currency' },
    { title: 'reference', path: 'reference' },
  ],
  empty: 'There is no credit: calls are bounded by budgets alone. Begin: keyfold credits add --amount 100',
};

export function addCredits(program: Command, context: Context): void {
  const credits = addGroup(program, 'credits', 'Prepaid credit: show, add, list, statement, rates.');
  addExamples(credits, 'keyfold credits show');
  addShow(credits, context);
  addAdd(credits, context);
  const list = addPageOptions(credits.command('list'))
    .description('List the entries of the books.')
    .action((options: PageOptions) => showList(openSession(context, options), ENTRY_LIST, { options }));
  addExamples(list, 'keyfold credits list');
  addStatement(credits, context);
  addRate(credits, context);
}

function addShow(credits: Command, context: Context): void {
  const show = addRemoteOptions(credits.command('show'))
    .description('What is left of the credit.')
    .action(async (options: RemoteOptions) => {
      const session = openSession(context, options);
      const answer = await session.client.send({ method: 'GET', path: '/v1/credits' });
      session.print(answer, () => {
        if (answer['enabled'] !== true) return `${ENTRY_LIST.empty}\n`;
        const [credited, posted, held, remaining] = ['credited', 'posted', 'held', 'remaining'].map((name) =>
          showValue(answer[`${name}_usd`]),
        );
        return `${remaining} USD remain of ${credited}; ${posted} are spent, ${held} held by running calls.\n`;
      });
    });
  addExamples(show, 'keyfold credits show');
}

interface AddOptions extends RemoteOptions {
  readonly kind: string;
  readonly amount: string;
  readonly currency?: string;
  readonly usdPerUnit?: string;
  readonly rateSource?: string;
  readonly reference?: string;
  readonly note?: string;
}

function addAdd(credits: Command, context: Context): void {
  const add = addRemoteOptions(credits.command('add'))
    .description(
      'Enter a top-up, a grant, a refund or an adjustment. The first opens the account: calls then need credit.',
    )
    .addOption(new Option('--kind <kind>', 'what it is').choices(KINDS).default('top_up'))
    .requiredOption('--amount <amount>', 'in the currency; an adjustment may be below zero')
    .option('--currency <code>', 'ISO 4217, such as CNY (USD)')
    .option('--usd-per-unit <rate>', "the currency's rate of this entry, instead of the one that is set")
    .option('--rate-source <text>', 'where the rate is from')
    .option('--reference <text>', "such as a payment's number: there is one entry of each")
    .option('--note <text>', 'for people')
    .action(async (options: AddOptions) => {
      const session = openSession(context, options);
      const body = {
        kind: options.kind,
        amount: options.amount,
        currency: options.currency,
        usd_per_unit: options.usdPerUnit,
        rate_source: options.rateSource,
        reference: options.reference,
        note: options.note,
      };
      const answer = await session.client.send({ method: 'POST', path: ENTRY_LIST.path, body });
      session.print(answer, () => {
        const [number, usd, from, to] = ['number', 'amount_usd', 'from', 'to'].map((name) =>
          showValue(answer[name]),
        );
        return `Entered no. ${number}: ${usd} USD from ${from} to ${to}.\n`;
      });
    });
  addExamples(
    add,
    'keyfold credits add --amount 100',
    'keyfold credits add --amount 700 --currency CNY --reference pay-4711',
    'keyfold credits add --kind grant --amount 5 --note "for trying out"',
  );
}

interface StatementOptions extends RemoteOptions {
  readonly from: string;
  readonly to: string;
}

function addStatement(credits: Command, context: Context): void {
  const statement = addRemoteOptions(credits.command('statement'))
    .description('The books of some days, as CSV; with --json as JSON.')
    .requiredOption('--from <date>', 'the first day, UTC, such as 2026-11-01')
    .requiredOption('--to <date>', 'the day after the last')
    .action(async (options: StatementOptions) => {
      const session = openSession(context, options);
      const { from, to } = options;
      const path = `/v1/credits/statement?${new URLSearchParams({ from, to }).toString()}`;
      if (options.json === true) session.print(await session.client.send({ method: 'GET', path }), () => '');
      else context.stdout.write(await session.client.read(`${path}&format=csv`));
    });
  addExamples(statement, 'keyfold credits statement --from 2026-11-01 --to 2026-12-01 > november.csv');
}

interface RateOptions extends RemoteOptions {
  readonly source: string;
}

function addRate(credits: Command, context: Context): void {
  const rate = addRemoteOptions(credits.command('rate'))
    .description('Set what a currency is worth where an entry does not say.')
    .argument('<currency>', 'ISO 4217')
    .argument('<usd-per-unit>', 'dollars for one unit')
    .requiredOption('--source <text>', 'where the rate is from')
    .action(async (currency: string, usdPerUnit: string, options: RateOptions) => {
      const session = openSession(context, options);
      const path = `/v1/credits/rates/${encodeURIComponent(currency)}`;
      const body = { usd_per_unit: usdPerUnit, source: options.source };
      const answer = await session.client.send({ method: 'PUT', path, body });
      session.print(
        answer,
        () => `One ${currency} is worth ${showValue(answer['usd_per_unit'])} USD from now on.\n`,
      );
    });
  addExamples(rate, 'keyfold credits rate CNY 1 --source "our price list"');
}
