/** `keyfold routes`: model names of one's own, and the targets that serve them. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples, addGroup } from '../help.ts';
import { compact } from '../option-value.ts';
import { type JsonObject, isJsonObject, showValue } from '../remote/json.ts';
import { type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, type Session, addRemoteOptions, openSession } from '../remote/session.ts';
import { confirm } from '../terminal/confirm.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import { findId, findPath } from './find-id.ts';
import { type RouteOptions, type TargetOption, addRouteOptions, toRetryBody } from './route-options.ts';
import { CREDENTIAL } from './show-credential.ts';
import { ROUTE, ROUTE_LIST, renderRoute } from './show-route.ts';

export function addRoutes(program: Command, context: Context): void {
  const routes = addGroup(
    program,
    'routes',
    'Model names of your own, with fallbacks: make, list, show, change, delete.',
  );
  addExamples(routes, 'keyfold routes list');
  for (const add of [addCreate, addList, addShow, addUpdate, addDelete]) add(routes, context);
}

function addCreate(routes: Command, context: Context): void {
  const create = routes
    .command('create')
    .description('Make a model name that programs may ask for, and say what serves it.')
    .argument('<name>', 'what programs ask for');
  addRemoteOptions(addRouteOptions(create, 'create')).action(
    async (name: string, options: RouteOptions & RemoteOptions) => {
      const session = openSession(context, options);
      const targets = await toTargetsBody(session, options.target);
      const body = { name, targets, retry: toRetryBody(options) };
      const answer = await session.client.send({ method: 'POST', path: ROUTE.path, body });
      session.print(answer, () => `${escapeUnsafe(`Made route ${showValue(answer['id'])} (${name}).`)}\n`);
    },
  );
  addExamples(
    create,
    'keyfold routes create fast --target openai/gpt-4.1-mini,weight=3 --target google/gemini-2.5-flash --target sandbox/echo,priority=1',
    'keyfold routes create careful --target openai/gpt-4.1,credential=main --attempts-max 5 --first-token-timeout-ms 8000',
  );
}

function addList(routes: Command, context: Context): void {
  const list = addPageOptions(routes.command('list'))
    .description('List routes with their targets: shares in brackets, then what serves when those fail.')
    .action((options: PageOptions) => showList(openSession(context, options), ROUTE_LIST, { options }));
  addExamples(list, 'keyfold routes list --json');
}

function addShow(routes: Command, context: Context): void {
  const show = addRemoteOptions(routes.command('show'))
    .description('Show one route: how often it is tried, and its targets in their turn.')
    .argument('<id|name>', 'the route')
    .action(async (which: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const path = await findPath(session, ROUTE, which);
      const answer = await session.client.send({ method: 'GET', path });
      session.print(answer, () => renderRoute(answer, session.style));
    });
  addExamples(show, 'keyfold routes show fast');
}

function addUpdate(routes: Command, context: Context): void {
  const update = routes
    .command('update')
    .description('Change a route; what is not named stays. Its targets are replaced as a whole.')
    .argument('<id|name>', 'the route')
    .option('--name <name>', 'what programs ask for from now on');
  addRemoteOptions(addRouteOptions(update, 'update')).action(
    async (which: string, options: RouteOptions & RemoteOptions & { name?: string }) => {
      const { name, target } = options;
      const retry = toRetryBody(options);
      if (name === undefined && target === undefined && retry === undefined) {
        throw new CommandFailure(EXIT.usage, 'Nothing to change was given.', {
          advice: 'Name at least one thing; keyfold routes update --help lists them.',
        });
      }
      const session = openSession(context, options);
      const path = await findPath(session, ROUTE, which);
      const body = {
        name,
        targets: target === undefined ? undefined : await toTargetsBody(session, target),
        retry: retry === undefined ? undefined : { ...(await askRetry(session, path)), ...retry },
      };
      const answer = await session.client.send({ method: 'PATCH', path, body });
      session.print(answer, () => renderRoute(answer, session.style));
    },
  );
  addExamples(
    update,
    'keyfold routes update fast --target openai/gpt-4.1-mini --target deepseek/deepseek-flash,priority=1',
    'keyfold routes update fast --answer-timeout-ms none',
  );
}

function addDelete(routes: Command, context: Context): void {
  const remove = addRemoteOptions(routes.command('delete'))
    .description('Delete a route: programs that ask for it are refused. Asks first on a terminal.')
    .argument('<id|name>', 'the route')
    .option('--yes', 'do not ask')
    .action(async (which: string, options: RemoteOptions & { yes?: true }) => {
      const session = openSession(context, options);
      const path = await findPath(session, ROUTE, which);
      if (options.yes !== true)
        await confirm(context, `Delete ${which}? Programs that ask for it are refused from now on.`);
      const answer = await session.client.send({ method: 'DELETE', path });
      session.print(answer, () => `${escapeUnsafe(`Deleted ${which}.`)}\n`);
    });
  addExamples(remove, 'keyfold routes delete fast --yes');
}

async function toTargetsBody(
  session: Session,
  targets: readonly TargetOption[] = [],
): Promise<readonly unknown[]> {
  const bodies: unknown[] = [];
  for (const { model, weight, priority, credential } of targets) {
    const id = credential === undefined ? undefined : await findId(session, CREDENTIAL, credential);
    bodies.push(compact({ model, weight, priority, credential_id: id }));
  }
  return bodies;
}

/** The API replaces `retry` as a whole: what was not named is what it was. */
async function askRetry({ client }: Session, path: string): Promise<JsonObject> {
  const { retry } = await client.send({ method: 'GET', path });
  return isJsonObject(retry) ? retry : {};
}
