/** Renders the table of settings in docs/configuration.md from the schema, so that the two cannot disagree. */
import { SETTINGS, SETTING_NAMES, type Setting, environmentName, flagName } from './settings.ts';

/** Markdown, one row a setting, without a final line break. */
export function renderConfigurationTable(): string {
  const rows = SETTING_NAMES.map((name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    const fallback = setting.fallbackMeaning ?? `\`${setting.fallback ?? ''}\``;
    return `| \`${environmentName(name)}\` | \`${flagName(name)}\` | \`${name}\` | ${fallback} | ${setting.meaning} |`;
  });
  return ['| environment | flag | keyfold.yaml | default | meaning |', '|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}
