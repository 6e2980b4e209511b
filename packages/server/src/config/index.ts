/** What the command line and the composition root use of the configuration. */
export {
  type Config,
  ConfigError,
  type Endpoint,
  LOG_LEVELS,
  type LogLevel,
  type SinkRefusal,
} from './config.ts';
export { type ConfigDescription, type SettingDescription, describeConfig } from './describe-config.ts';
export { loadConfig } from './load-config.ts';
export { CONFIG_FILE_VARIABLE, type ConfigSources, type Source } from './resolve-settings.ts';
export {
  SETTINGS,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  environmentName,
  flagName,
} from './settings.ts';
