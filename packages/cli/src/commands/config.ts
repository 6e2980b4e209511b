/** `keyfold config`: prints every setting, its value without secrets, and where the value comes from. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addExamples } from '../help.ts';
import { jsonOption } from '../remote/session.ts';
import { type ConfigDescription, describeConfig } from '../server-config.ts';
import { type Style, createStyle } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { type SettingOptions, addSettingOptions, readSources } from './setting-options.ts';

export function addConfig(program: Command, context: Context): void {
  const { stdout, env } = context;
  const config = addSettingOptions(program.command('config').addOption(jsonOption()))
    .description(
      'Print the configuration that serve would use, with the source of each value and without secrets.',
    )
    .action((options: SettingOptions) => {
      const description = describeConfig(readSources(context, options));
      const isJson = options['json'] === true;
      stdout.write(
        isJson ? `${JSON.stringify(description, null, 2)}\n` : render(description, createStyle(stdout, env)),
      );
    });
  addExamples(config, 'keyfold config', 'KEYFOLD_LISTEN=127.0.0.1:9000 keyfold config --json');
}

function render({ file, settings }: ConfigDescription, style: Style): string {
  const columns = [{ title: 'setting' }, { title: 'value' }, { title: 'source' }];
  const rows = settings.map(({ variable, value, source }) => [
    variable,
    value === null || value === '' ? '–' : value,
    source === 'file' && file !== null ? file : source,
  ]);
  return renderTable(columns, rows, style);
}
