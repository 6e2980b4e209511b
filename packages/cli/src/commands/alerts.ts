/** `keyfold alerts`: rules that watch keys, and what they have found. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addExamples, addGroup } from '../help.ts';
import { type JsonObject, isJsonObject, memberAt, showValue } from '../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import { type RuleOptions, addRuleOptions, toRuleBody } from './alert-options.ts';
import { type Noun, findId, findPath } from './find-id.ts';
import { WEBHOOK } from './webhooks.ts';

const RULE: Noun = {
  name: 'alert rule',
  listedBy: 'keyfold alerts rules list',
  path: '/v1/alerts/rules',
  idPrefix: 'arl_',
};

const RULE_LIST: ListView = {
  path: RULE.path,
  columns: [
    { title: 'id', path: 'id' },
    { title: 'name', path: 'name' },
    { title: 'when', path: 'when', show: (rule) => describe(rule['when']) },
    { title: 'scope', path: 'scope' },
    { title: 'about', path: 'scope_ids' },
    { title: 'does', path: 'action', show: (rule) => describe(rule['action']) },
    { title: 'tells', path: 'webhook_ids' },
    { title: 'on', path: 'enabled' },
  ],
  empty: 'There are no alert rules. Make one: keyfold alerts rules create NAME --kind KIND',
};

const FIRING_LIST: ListView = {
  path: '/v1/alerts/firings',
  columns: [
    { title: 'id', path: 'id' },
    { title: 'fired', path: 'fired_at' },
    { title: 'rule', path: 'detail.rule' },
    { title: 'about', path: 'subject' },
    { title: 'found', path: 'detail', show: describeFound },
    { title: 'done', path: 'detail.done' },
    { title: 'cleared', path: 'cleared_at' },
  ],
  empty: 'No rule has fired.',
};

export function addAlerts(program: Command, context: Context): void {
  const alerts = addGroup(program, 'alerts', 'Rules that watch keys, and what they have found.');
  addExamples(alerts, 'keyfold alerts firings');
  const rules = addGroup(alerts, 'rules', 'Rules: when one fires, whom it tells, what it does to the key.');
  addExamples(rules, 'keyfold alerts rules list');
  for (const add of [addCreate, addList, addDelete]) add(rules, context);
  addFirings(alerts, context);
}

function addCreate(rules: Command, context: Context): void {
  const create = rules
    .command('create')
    .description('Make a rule. Without --suspend or --throttle it tells, and does nothing to the key.')
    .argument('<name>', 'what it is called');
  addRemoteOptions(addRuleOptions(create)).action(
    async (name: string, options: RuleOptions & RemoteOptions) => {
      const session = openSession(context, options);
      const webhooks: string[] = [];
      const body = toRuleBody(name, options);
      for (const each of options.webhook ?? []) webhooks.push(await findId(session, WEBHOOK, each));
      const told = webhooks.length === 0 ? {} : { webhook_ids: webhooks };
      const answer = await session.client.send({
        method: 'POST',
        path: RULE.path,
        body: { ...body, ...told },
      });
      session.print(answer, () => `${escapeUnsafe(`Made rule ${showValue(answer['id'])} (${name}).`)}\n`);
    },
  );
  addExamples(
    create,
    'keyfold alerts rules create runaway --kind spend_spike --multiple 20 --min-usd 5 --window-s 60 --suspend --webhook pager',
    'keyfold alerts rules create canaries --kind event --actions canary.used --webhook pager',
  );
}

function addList(rules: Command, context: Context): void {
  const list = addPageOptions(rules.command('list'))
    .description('List rules.')
    .action((options: PageOptions) => showList(openSession(context, options), RULE_LIST, { options }));
  addExamples(list, 'keyfold alerts rules list --json');
}

function addDelete(rules: Command, context: Context): void {
  const remove = addRemoteOptions(rules.command('delete'))
    .description('Delete a rule. What it has done to keys stays until they are resumed.')
    .argument('<id|name>', 'the rule')
    .option('--yes', 'do not ask')
    .action(async (which: string, options: RemoteOptions & { yes?: true }) => {
      const session = openSession(context, options);
      const path = await findPath(session, RULE, which);
      if (options.yes !== true) await confirm(context, `Delete ${which}? It watches nothing from now on.`);
      const answer = await session.client.send({ method: 'DELETE', path });
      session.print(answer, () => `${escapeUnsafe(`Deleted ${which}.`)}\n`);
    });
  addExamples(remove, 'keyfold alerts rules delete runaway --yes');
}

function addFirings(alerts: Command, context: Context): void {
  const firings = addPageOptions(alerts.command('firings'))
    .description('List what rules have found and done, newest first.')
    .option('--rule <id>', 'only of this rule')
    .option('--key <id>', 'only about this key')
    .action((options: PageOptions & { rule?: string; key?: string }) => {
      const query = { rule_id: options.rule, subject: options.key };
      return showList(openSession(context, options), FIRING_LIST, { options, query });
    });
  addExamples(firings, 'keyfold alerts firings --key key_01h455vb4pex5vsknk084sn02q');
}

/** `spend_threshold usd=5.00 window_seconds=60`. */
function describe(value: unknown): string {
  if (!isJsonObject(value)) return showValue(value);
  const { kind, ...rest } = value;
  const facts = Object.entries(rest).filter(([, fact]) => fact !== null);
  return [showValue(kind), ...facts.map(([name, fact]) => `${name}=${showValue(fact)}`)].join(' ');
}

function describeFound(firing: JsonObject): string {
  const detail = memberAt(firing, 'detail');
  if (!isJsonObject(detail)) return showValue(detail);
  const { rule: _rule, done: _done, request_ids: _requests, ...found } = detail;
  return describe(found);
}
