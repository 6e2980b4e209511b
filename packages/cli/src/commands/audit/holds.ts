/** `keyfold audit holds`: legal holds on the audit log. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { addExamples, addGroup } from '../../help.ts';
import { showValue } from '../../remote/json.ts';
import { type ListView, type PageOptions, addPageOptions, showList } from '../../remote/list.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../../remote/session.ts';

const HOLD_LIST: ListView = {
  path: '/v1/audit/holds',
  columns: [
    { title: 'id', path: 'id' },
    { title: 'active', path: 'active' },
    { title: 'reason', path: 'reason' },
    { title: 'set', path: 'created_at' },
    { title: 'by', path: 'created_by' },
    { title: 'released', path: 'released_at' },
    { title: 'edited', path: 'edited' },
  ],
  empty: 'There is no hold. Set one: keyfold audit holds create --reason TEXT',
};

export function addAuditHolds(audit: Command, context: Context): void {
  const holds = addGroup(audit, 'holds', 'Legal holds: while one is active, nothing of the log is archived.');
  const list = addPageOptions(holds.command('list'))
    .description('List holds, with those that were released.')
    .action((options: PageOptions) => showList(openSession(context, options), HOLD_LIST, { options }));
  addExamples(list, 'keyfold audit holds list');
  const create = addRemoteOptions(holds.command('create'))
    .description('Set a hold: nothing of the log is archived or removed until it is released.')
    .requiredOption('--reason <text>', 'why; it is kept and shown')
    .action(async (options: RemoteOptions & { readonly reason: string }) => {
      const session = openSession(context, options);
      const body = { reason: options.reason };
      const answer = await session.client.send({ method: 'POST', path: HOLD_LIST.path, body });
      session.print(answer, () => `Set hold ${showValue(answer['id'])}.\n`);
    });
  addExamples(create, "keyfold audit holds create --reason 'case 4711'");
  const release = addRemoteOptions(holds.command('release'))
    .description('Release a hold. It stays in the list.')
    .argument('<id>', 'the id of the hold')
    .action(async (id: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const path = `${HOLD_LIST.path}/${encodeURIComponent(id)}`;
      const answer = await session.client.send({ method: 'DELETE', path });
      session.print(answer, () => `Released hold ${showValue(answer['id'])}.\n`);
    });
  addExamples(release, 'keyfold audit holds release hld_01h455vb4pex5vsknk084sn02q');
}
