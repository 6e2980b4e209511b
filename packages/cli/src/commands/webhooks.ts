/** `keyfold webhooks`: where alerts are told. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples, addGroup } from '../help.ts';
import { showValue } from '../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import { type Noun, findPath } from './find-id.ts';
import { renderSecrets } from './show-key.ts';

export const WEBHOOK: Noun = { name: 'webhook', path: '/v1/webhooks', idPrefix: 'whk_' };

const WEBHOOK_LIST: ListView = {
  path: WEBHOOK.path,
  columns: [
    { title: 'id', path: 'id' },
    { title: 'name', path: 'name' },
    { title: 'url', path: 'url' },
    { title: 'on', path: 'enabled' },
    { title: 'created', path: 'created_at' },
  ],
  empty: 'There are no webhooks. Make one: keyfold webhooks create NAME URL',
};

export function addWebhooks(program: Command, context: Context): void {
  const webhooks = addGroup(program, 'webhooks', 'Where alerts are told: make, list, test, delete.');
  addExamples(webhooks, 'keyfold webhooks list');
  for (const add of [addCreate, addList, addTest, addDelete]) add(webhooks, context);
}

function addCreate(webhooks: Command, context: Context): void {
  const create = addRemoteOptions(webhooks.command('create'))
    .description('Add a webhook and print the secret that its messages are signed with, this once.')
    .argument('<name>', 'what it is called')
    .argument('<at>', 'the URL of its receiver')
    .action(async (name: string, at: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const body = { name, url: at };
      const answer = await session.client.send({ method: 'POST', path: WEBHOOK.path, body });
      const heading = `Made webhook ${showValue(answer['id'])} (${name}). Its messages are signed with:`;
      session.print(answer, () => renderSecrets([{ heading, secret: answer['secret'] }], session.style));
    });
  addExamples(create, 'keyfold webhooks create pager https://example.org/hooks/keyfold');
}

function addList(webhooks: Command, context: Context): void {
  const list = addPageOptions(webhooks.command('list'))
    .description('List webhooks, without their secrets.')
    .action((options: PageOptions) => showList(openSession(context, options), WEBHOOK_LIST, { options }));
  addExamples(list, 'keyfold webhooks list --json');
}

function addTest(webhooks: Command, context: Context): void {
  const test = addRemoteOptions(webhooks.command('test'))
    .description('Send a signed test message, and say what became of it.')
    .argument('<id|name>', 'the webhook')
    .action(async (which: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const path = `${await findPath(session, WEBHOOK, which)}/test`;
      const answer = await session.client.send({ method: 'POST', path });
      const status = showValue(answer['status']);
      session.print(answer, () =>
        answer['delivered'] === true ? `${escapeUnsafe(`${which} took it (${status}).`)}\n` : '',
      );
      if (answer['delivered'] === true) return;
      throw new CommandFailure(
        EXIT.failure,
        `It was not delivered: ${showValue(answer['error'])}, status ${status}.`,
      );
    });
  addExamples(test, 'keyfold webhooks test pager');
}

function addDelete(webhooks: Command, context: Context): void {
  const remove = addRemoteOptions(webhooks.command('delete'))
    .description('Delete a webhook that no rule names. Asks first on a terminal.')
    .argument('<id|name>', 'the webhook')
    .option('--yes', 'do not ask')
    .action(async (which: string, options: RemoteOptions & { yes?: true }) => {
      const session = openSession(context, options);
      const path = await findPath(session, WEBHOOK, which);
      if (options.yes !== true) await confirm(context, `Delete ${which}? What waits for it is given up.`);
      const answer = await session.client.send({ method: 'DELETE', path });
      session.print(answer, () => `${escapeUnsafe(`Deleted ${which}.`)}\n`);
    });
  addExamples(remove, 'keyfold webhooks delete pager --yes');
}
