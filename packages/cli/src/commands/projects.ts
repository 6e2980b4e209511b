/** `keyfold projects`: groups of keys, with budgets of their own. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addExamples, addGroup } from '../help.ts';
import { showValue } from '../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';

const PROJECT_LIST: ListView = {
  path: '/v1/projects',
  columns: [
    { title: 'id', path: 'id' },
    { title: 'name', path: 'name' },
    { title: 'organization', path: 'organization_id' },
    { title: 'created', path: 'created_at' },
  ],
  empty: 'There are no projects. Make one: keyfold projects create NAME',
};

export function addProjects(program: Command, context: Context): void {
  const projects = addGroup(program, 'projects', 'Groups of keys: list, make.');
  addExamples(projects, 'keyfold projects list');
  const list = addPageOptions(projects.command('list'))
    .description('List projects.')
    .action((options: PageOptions) => showList(openSession(context, options), PROJECT_LIST, { options }));
  addExamples(list, 'keyfold projects list');
  const create = addRemoteOptions(projects.command('create'))
    .description('Make a project.')
    .argument('<name>', 'what people call it')
    .action(async (name: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const answer = await session.client.send({ method: 'POST', path: PROJECT_LIST.path, body: { name } });
      session.print(answer, () => `Made project ${showValue(answer['id'])} (${name}).\n`);
    });
  addExamples(create, 'keyfold projects create search');
}
