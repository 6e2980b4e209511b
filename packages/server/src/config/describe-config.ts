/** Describes the configuration for people: every setting, its value without secrets, and where the value comes from. */
import { type Nanos, formatUsd } from '@keyfold/protocol';
import type { Endpoint } from './config.ts';
import { loadConfig } from './load-config.ts';
import { formatEndpoint } from './parse-value.ts';
import { type ConfigSources, type Source, resolveSettings } from './resolve-settings.ts';
import { SETTING_NAMES, type SettingName, environmentName } from './settings.ts';

export interface SettingDescription {
  readonly name: SettingName;
  /** Its name in the environment. */
  readonly variable: string;
  /** As one would write it, secrets replaced; `null` where nothing is set. */
  readonly value: string | null;
  readonly source: Source;
}

export interface ConfigDescription {
  /** The `keyfold.yaml` that was read. */
  readonly file: string | null;
  readonly settings: readonly SettingDescription[];
}

const REDACTED = '***';
const SECRET_PARAMETER = /password|secret|token/i;

/** Throws `ConfigError` as `loadConfig` does: what cannot be used is not described. */
export function describeConfig(from: ConfigSources): ConfigDescription {
  loadConfig(from);
  const { values, sources, file } = resolveSettings(from);
  const settings = SETTING_NAMES.map((name) => ({
    name,
    variable: environmentName(name),
    value: name === 'database_url' ? redactUrl(values.database_url) : renderValue(values[name]),
    source: sources[name],
  }));
  return { file: file ?? null, settings };
}

/** The URL with `***` for its password, wherever the driver would take one from. */
export function redactUrl(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (!URL.canParse(text)) return REDACTED;
  const url = new URL(text);
  if (url.password !== '') url.password = REDACTED;
  for (const name of new Set(url.searchParams.keys())) {
    if (SECRET_PARAMETER.test(name)) url.searchParams.set(name, REDACTED);
  }
  return url.href;
}

function renderValue(
  value: boolean | number | string | Nanos | readonly string[] | Endpoint | undefined,
): string | null {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'bigint') return formatUsd(value);
  if (typeof value !== 'object') return String(value);
  return 'port' in value ? formatEndpoint(value) : value.join(',');
}
