/** `keyfold audit key`: what the checkpoints of an installation are verified with. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { addExamples } from '../../help.ts';
import { showValue } from '../../remote/json.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../../remote/session.ts';
import { CHECKPOINT_LIST } from './checkpoints.ts';

export function addAuditKey(audit: Command, context: Context): void {
  const command = addRemoteOptions(audit.command('key'))
    .description('Print the verifier key: keep it where who runs the server cannot change it.')
    .action(async (options: RemoteOptions) => {
      const session = openSession(context, options);
      const { vkey } = await session.client.send({
        method: 'GET',
        path: CHECKPOINT_LIST.path,
        query: { limit: '1' },
      });
      session.print({ vkey }, () => `${showValue(vkey)}\n`);
    });
  addExamples(command, 'keyfold audit key > keyfold.vkey');
}
