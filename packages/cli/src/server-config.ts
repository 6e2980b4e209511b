/** The one door to the server's settings: everything here that needs them imports them from this file. */
export {
  type Config,
  type ConfigDescription,
  ConfigError,
  type ConfigSources,
  SETTINGS,
  SETTING_NAMES,
  type Setting,
  type SettingDescription,
  type SettingName,
  describeConfig,
  flagName,
  loadConfig,
} from '@keyfold/server/config';
