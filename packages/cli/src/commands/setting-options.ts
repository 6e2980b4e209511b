/** Offers every setting of the server as a flag, and reads the configuration that flags, environment and file give. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { type ConfigSources, SETTINGS, SETTING_NAMES, type Setting, flagName } from '../server-config.ts';

/** What commander made of the flags, by its own names. */
export type SettingOptions = Readonly<Record<string, unknown>>;

const CONFIG_FILE_OPTION = new Option('--config-file <file>', 'read this file instead of keyfold.yaml');

export function addSettingOptions(command: Command): Command {
  command.optionsGroup('Settings (also KEYFOLD_… in the environment, or keyfold.yaml):');
  for (const option of settingOptions().values()) command.addOption(option);
  return command.addOption(CONFIG_FILE_OPTION);
}

/** The sources of the configuration, for `loadConfig` and `describeConfig`. */
export function readSources({ env, cwd }: Context, options: SettingOptions): ConfigSources {
  const flags: Record<string, string> = {};
  for (const [name, option] of settingOptions()) {
    const value = options[option.attributeName()];
    // A switch without its value is on.
    if (value === true) flags[name] = '1';
    else if (typeof value === 'string') flags[name] = value;
  }
  const file = options[CONFIG_FILE_OPTION.attributeName()];
  return { flags, env, cwd, file: typeof file === 'string' ? file : undefined };
}

function settingOptions(): Map<string, Option> {
  return new Map(
    SETTING_NAMES.map((name) => {
      const setting: Setting<unknown> = SETTINGS[name];
      const isSwitch = setting.placeholder === '0|1';
      const fallback = setting.fallbackMeaning ?? setting.fallback;
      const meaning = `${setting.meaning} (default: ${fallback})`.replaceAll('`', '');
      const value = isSwitch ? `[${setting.placeholder}]` : `<${setting.placeholder}>`;
      return [name, new Option(`${flagName(name)} ${value}`, meaning)];
    }),
  );
}
