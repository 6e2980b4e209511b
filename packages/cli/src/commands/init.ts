/** `keyfold init`: makes the data directory, root key, database and first admin key, without listening. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addExamples } from '../help.ts';
import { loadConfig } from '../server-config.ts';
import { type SettingOptions, addSettingOptions, readSources } from './setting-options.ts';
import { explainStartFailure } from './start-failure.ts';

export function addInit(program: Command, context: Context): void {
  const init = addSettingOptions(program.command('init'))
    .description(
      'Create the data directory, root key, database, default project and admin key, as the first start would.',
    )
    .option('--recover-admin-key', 'make another admin key for an installation whose own are lost or held')
    .action(async (options: SettingOptions & { readonly recoverAdminKey?: true }) => {
      const config = loadConfig(readSources(context, options));
      const { initKeyfold } = await context.loadServer();
      try {
        const output = { write: (text: string) => void context.stdout.write(text) };
        await initKeyfold(config, output, { recoversAdminKey: options.recoverAdminKey === true });
      } catch (error) {
        throw explainStartFailure(error, config);
      }
    });
  addExamples(
    init,
    'keyfold init --data-dir /var/lib/keyfold --admin-key-file /etc/keyfold/admin.key',
    'keyfold init --recover-admin-key',
  );
}
