/** `keyfold doctor`: checks everything that a server needs, each in a line, with what to do where it does not hold. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { checkDatabase } from '../doctor/check-database.ts';
import { checkDataDirectory, checkRootKey } from '../doctor/check-files.ts';
import { checkClock, checkPrices, checkServer } from '../doctor/check-server.ts';
import { type Finding, failed, ok } from '../doctor/finding.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { addExamples } from '../help.ts';
import { connect } from '../remote/connect.ts';
import { type RemoteOptions, addRemoteOptions } from '../remote/session.ts';
import { type Config, ConfigError, loadConfig } from '../server-config.ts';
import { type Role, type Style, createStyle } from '../terminal/style.ts';
import { escapeUnsafe } from '../terminal/table.ts';
import { type SettingOptions, addSettingOptions, readSources } from './setting-options.ts';

type DoctorOptions = RemoteOptions & SettingOptions & { readonly local?: true };

const MARKS = {
  ok: ['✓', 'good'],
  failed: ['✗', 'bad'],
  skipped: ['–', 'quiet'],
} as const satisfies Record<Finding['state'], readonly [string, Role]>;

const NAME_WIDTH = 14;
const ANSWER_TIMEOUT_S = 5;

export function addDoctor(program: Command, context: Context): void {
  const doctor = addRemoteOptions(program.command('doctor'))
    .description(
      'Check configuration, files, database, clock, server and prices. Exit code 1 when any check fails.',
    )
    .option('--local', 'only what can be checked without a running server')
    .action(async (options: DoctorOptions) => {
      const findings = await examine(context, options);
      const failures = findings.filter(({ state }) => state === 'failed').length;
      const { stdout, env } = context;
      const answer = { object: 'doctor', ok: failures === 0, checks: findings };
      stdout.write(
        options.json === true
          ? `${JSON.stringify(answer, null, 2)}\n`
          : render(findings, createStyle(stdout, env)),
      );
      if (failures === 0) return;
      throw new CommandFailure(EXIT.failure, `${failures} of ${findings.length} checks failed.`);
    });
  addSettingOptions(doctor);
  addExamples(doctor, 'keyfold doctor', 'keyfold doctor --local --data-dir /var/lib/keyfold');
}

async function examine(context: Context, options: DoctorOptions): Promise<Finding[]> {
  const { finding, config } = checkConfiguration(context, options);
  const client =
    options.local === true
      ? undefined
      : connect(context, { timeoutS: ANSWER_TIMEOUT_S, ...options, keyOptional: true });
  const server = client === undefined ? undefined : await checkServer(client);
  const findings = [finding];
  if (config !== undefined) {
    findings.push(checkDataDirectory(config), checkRootKey(config));
    findings.push(await checkDatabase(config, server?.isUp));
  }
  findings.push(checkClock(server?.dateMs, Date.now()));
  if (client === undefined || server === undefined) return findings;
  return [...findings, server.finding, await checkPrices(client, server.isUp)];
}

function checkConfiguration(
  context: Context,
  options: DoctorOptions,
): { finding: Finding; config: Config | undefined } {
  const name = 'configuration';
  try {
    return { finding: ok(name, 'valid'), config: loadConfig(readSources(context, options)) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const advice = 'Correct it; docs/configuration.md lists every setting.';
    return { finding: failed(name, error.problems.join('; '), advice), config: undefined };
  }
}

function render(findings: readonly Finding[], style: Style): string {
  return findings
    .map(({ name, state, text, advice }) => {
      const [mark, role] = MARKS[state];
      const line = `${style(role, mark)} ${name.padEnd(NAME_WIDTH)}  ${escapeUnsafe(text)}\n`;
      return advice === undefined ? line : `${line}${' '.repeat(NAME_WIDTH + 4)}${escapeUnsafe(advice)}\n`;
    })
    .join('');
}
