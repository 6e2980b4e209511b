/** `keyfold keys resume`: lets a key go on that an alert rule has suspended or throttled. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addExamples } from '../help.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';
import { pathOfKey } from './key-path.ts';
import { renderKey } from './show-key.ts';

export function addResume(keys: Command, context: Context): void {
  const resume = addRemoteOptions(keys.command('resume'))
    .description('Let a key go on that an alert rule has suspended or throttled. The rule counts anew.')
    .argument('<id>', 'the key, by its id')
    .action(async (id: string, options: RemoteOptions) => {
      const session = openSession(context, options);
      const answer = await session.client.send({ method: 'POST', path: `${pathOfKey(id)}/resume` });
      session.print(answer, () => renderKey(answer, session.style));
    });
  addExamples(resume, 'keyfold keys resume key_01h455vb4pex5vsknk084sn02q');
}
