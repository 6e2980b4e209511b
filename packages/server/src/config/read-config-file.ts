/** Finds and reads `keyfold.yaml` (YAML 1.2) as text by setting; what the text means is decided with the other sources. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { nearestName } from './nearest-name.ts';
import { SETTINGS, SETTING_NAMES, type SettingName } from './settings.ts';

export const CONFIG_FILE_NAME = 'keyfold.yaml';

export interface ConfigFile {
  readonly path: string;
  /** Relative paths in the file start from its own folder. */
  readonly directory: string;
  readonly texts: ReadonlyMap<SettingName, string>;
  readonly problems: readonly string[];
}

/** Reads the named file, or `keyfold.yaml` in `cwd` if there is one. A file that was named must exist. */
export function readConfigFile(named: string | undefined, cwd: string): ConfigFile | undefined {
  const path = named === undefined ? join(cwd, CONFIG_FILE_NAME) : resolve(cwd, named);
  if (named === undefined && !existsSync(path)) return undefined;
  const texts = new Map<SettingName, string>();
  const problems: string[] = [];
  const entries = parseEntries(path, problems);
  for (const [name, value] of Object.entries(entries)) {
    if (!isSettingName(name)) {
      problems.push(`${path}: ${name} is not a setting; did you mean ${nearestName(name, SETTING_NAMES)}?`);
      continue;
    }
    const text = toText(name, value);
    if (text === undefined) problems.push(`${path}: ${name} has a value of the wrong type`);
    else texts.set(name, text);
  }
  return { path, directory: dirname(path), texts, problems };
}

function parseEntries(path: string, problems: string[]): object {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    return {};
  }
  // The library's own message quotes the line at fault, which may hold a password: the code and the place are enough.
  const document = parseDocument(source, { prettyErrors: false, strict: true, uniqueKeys: true });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const line = source.slice(0, fault.pos[0]).split('\n').length;
    problems.push(`${path}: line ${line} is not valid YAML (${fault.code})`);
    return {};
  }
  const content: unknown = document.toJS();
  if (content === null || content === undefined) return {};
  if (typeof content === 'object' && !Array.isArray(content)) return content;
  problems.push(`${path} must hold one "name: value" a line`);
  return {};
}

function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** The value as the environment would say it: `true` is 1, a list has commas. */
function toText(name: SettingName, value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean' && name === 'allow_plaintext') return value ? '1' : '0';
  const isListOfText = Array.isArray(value) && value.every((item) => typeof item === 'string');
  return isListOfText && name === 'trusted_proxies' ? value.join(',') : undefined;
}
