/** Decides each setting's value: flags before the environment before `keyfold.yaml` before defaults. */
import { join } from 'node:path';
import { nearestName } from './nearest-name.ts';
import { InvalidValue } from './parse-value.ts';
import { type ConfigFile, readConfigFile } from './read-config-file.ts';
import {
  SETTINGS,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  type SettingValues,
  environmentName,
  flagName,
} from './settings.ts';

/** Where settings come from. Nothing else is read: `env` is the process's environment, given by its entry point. */
export interface ConfigSources {
  readonly flags: { readonly [Name in SettingName]?: string | undefined };
  readonly env: { readonly [name: string]: string | undefined };
  /** A file to read instead of the one that the environment names or the working directory has. */
  readonly file?: string | undefined;
  readonly cwd: string;
}

export type Source = 'flag' | 'env' | 'file' | 'default';

export interface ResolvedSettings {
  /** Complete only where there are no problems. */
  readonly values: SettingValues;
  readonly sources: Readonly<Record<SettingName, Source>>;
  readonly file: string | undefined;
  readonly problems: readonly string[];
}

/** Names the file to read; not a setting, since it cannot stand in the file. */
export const CONFIG_FILE_VARIABLE = 'KEYFOLD_CONFIG_FILE';
/** What the command line reads when it talks to a server elsewhere. */
const COMMAND_LINE_VARIABLES: readonly string[] = ['KEYFOLD_URL', 'KEYFOLD_ADMIN_KEY'];
const TEST_PREFIX = 'KEYFOLD_TEST_';

interface Given {
  readonly text: string;
  readonly source: Source;
  /** How the operator wrote the setting, for messages. */
  readonly name: string;
  readonly directory: string;
}

export function resolveSettings(from: ConfigSources): ResolvedSettings {
  const file = readConfigFile(from.file ?? from.env[CONFIG_FILE_VARIABLE], from.cwd);
  const problems = [...findUnknownVariables(from.env), ...(file?.problems ?? [])];
  const values: Partial<Record<SettingName, unknown>> = {};
  const sources: Partial<Record<SettingName, Source>> = {};
  for (const name of SETTING_NAMES) {
    const given = findGiven(name, from, file);
    sources[name] = given?.source ?? 'default';
    if (given !== undefined) values[name] = parseGiven(SETTINGS[name], given, problems);
  }
  if (typeof values.data_dir === 'string') values.root_key_file ??= join(values.data_dir, 'root.key');
  return {
    values: values as SettingValues,
    sources: sources as Record<SettingName, Source>,
    file: file?.path,
    problems,
  };
}

function findGiven(
  name: SettingName,
  { flags, env, cwd }: ConfigSources,
  file: ConfigFile | undefined,
): Given | undefined {
  const flag = flags[name];
  if (flag !== undefined) return { text: flag, source: 'flag', name: flagName(name), directory: cwd };
  const variable = env[environmentName(name)];
  if (variable !== undefined) {
    return { text: variable, source: 'env', name: environmentName(name), directory: cwd };
  }
  const entry = file?.texts.get(name);
  if (file !== undefined && entry !== undefined) {
    return { text: entry, source: 'file', name: `${file.path}: ${name}`, directory: file.directory };
  }
  const { fallback } = SETTINGS[name];
  return fallback === undefined ? undefined : { text: fallback, source: 'default', name, directory: cwd };
}

function parseGiven(setting: Setting<unknown>, given: Given, problems: string[]): unknown {
  try {
    return setting.parse(given.text, given.directory);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    problems.push(`${given.name} ${given.text === '' ? 'is empty: it ' : ''}${error.message}`);
    return undefined;
  }
}

function findUnknownVariables(env: ConfigSources['env']): string[] {
  const known = [...SETTING_NAMES.map(environmentName), CONFIG_FILE_VARIABLE, ...COMMAND_LINE_VARIABLES];
  return Object.keys(env)
    .filter((name) => name.startsWith('KEYFOLD_') && !name.startsWith(TEST_PREFIX) && !known.includes(name))
    .map((name) => `${name} is not a setting; did you mean ${nearestName(name, known)}?`);
}
