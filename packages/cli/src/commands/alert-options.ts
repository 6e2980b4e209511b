/** The options of an alert rule, and what the API takes for them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { collectList, compact, readCount, readUsd } from '../option-value.ts';

/** By what a rule looks for: the options that it needs, and those that it may have, by their names in the API. */
const KINDS: Readonly<
  Record<string, { readonly needs: readonly string[]; readonly takes?: readonly string[] }>
> = {
  event: { needs: ['actions'], takes: ['decision', 'actor'] },
  spend_threshold: { needs: ['usd', 'window_seconds'] },
  spend_spike: { needs: ['multiple', 'min_usd', 'window_seconds'] },
  first_seen_model: { needs: [] },
  first_seen_network: { needs: [] },
  denied_burst: { needs: ['count', 'window_seconds'] },
};
const FLAGS: Readonly<Record<string, string>> = { window_seconds: '--window-s', min_usd: '--min-usd' };
const NUMBER = /^[0-9]{1,6}(?:\.[0-9]{1,2})?$/;

export interface RuleOptions {
  readonly kind: string;
  readonly actions?: readonly string[];
  readonly decision?: string;
  readonly actor?: string;
  readonly usd?: string;
  readonly multiple?: number;
  readonly minUsd?: string;
  readonly count?: number;
  readonly windowS?: number;
  readonly project?: readonly string[];
  readonly key?: readonly string[];
  readonly webhook?: readonly string[];
  readonly throttle?: number;
  readonly suspend?: true;
  readonly cooldownS?: number;
}

export function addRuleOptions(command: Command): Command {
  const option = (flags: string, description: string) => new Option(flags, description);
  return command
    .addOption(option('--kind <kind>', 'what it looks for').choices(Object.keys(KINDS)).makeOptionMandatory())
    .addOption(option('--actions <names>', 'event: actions of the audit log').argParser(collectList))
    .addOption(option('--decision <decision>', 'event: only so decided').choices(['allowed', 'denied']))
    .option('--actor <id>', 'event: only by this key')
    .addOption(option('--usd <usd>', 'spend_threshold: as much as this').argParser(readUsd))
    .addOption(option('--multiple <times>', 'spend_spike: as often as is usual').argParser(readMultiple))
    .addOption(option('--min-usd <usd>', 'spend_spike: and at least this').argParser(readUsd))
    .addOption(option('--count <refusals>', 'denied_burst: as many as this').argParser(readCount))
    .addOption(option('--window-s <seconds>', 'within so many seconds').argParser(readCount))
    .addOption(option('--project <ids>', 'only keys of these projects').argParser(collectList))
    .addOption(option('--key <ids>', 'only these keys, with their children').argParser(collectList))
    .addOption(option('--webhook <ids|names>', 'whom it tells').argParser(collectList))
    .addOption(
      option('--throttle <requests>', 'slow the key down to so many requests a minute').argParser(readCount),
    )
    .addOption(option('--suspend', 'stop the key until it is resumed').conflicts('throttle'))
    .addOption(
      option('--cooldown-s <seconds>', 'say no more about the same key for so long').argParser(readCount),
    );
}

/** The body without what it tells. Throws `CommandFailure` for options that do not go together. */
export function toRuleBody(name: string, options: RuleOptions): Readonly<Record<string, unknown>> {
  const { project, key, throttle, suspend } = options;
  if (project !== undefined && key !== undefined) throw misused('--project and --key do not go together.');
  return {
    name,
    when: toWhen(options),
    ...(project === undefined ? {} : { scope: 'project', scope_ids: project }),
    ...(key === undefined ? {} : { scope: 'key', scope_ids: key }),
    ...(throttle === undefined ? {} : { action: { kind: 'throttle', requests_per_minute: throttle } }),
    ...(suspend === true ? { action: { kind: 'suspend' } } : {}),
    ...(options.cooldownS === undefined ? {} : { cooldown_seconds: options.cooldownS }),
  };
}

function toWhen(options: RuleOptions): unknown {
  const { kind, actions, decision, actor, usd, multiple, count } = options;
  const given = compact({
    actions,
    decision,
    actor,
    usd,
    multiple,
    count,
    min_usd: options.minUsd,
    window_seconds: options.windowS,
  });
  const { needs, takes = [] } = KINDS[kind] ?? { needs: [] };
  const missing = needs.find((each) => given?.[each] === undefined);
  if (missing !== undefined) throw misused(`A rule of the kind ${kind} needs ${flagOf(missing)}.`);
  const odd = Object.keys(given ?? {}).find((each) => !needs.includes(each) && !takes.includes(each));
  if (odd !== undefined) throw misused(`A rule of the kind ${kind} has no ${flagOf(odd)}.`);
  return { kind, ...given };
}

function flagOf(member: string): string {
  return FLAGS[member] ?? `--${member}`;
}

function misused(message: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message, { advice: 'keyfold alerts rules create --help says more.' });
}

function readMultiple(text: string): number {
  if (!NUMBER.test(text)) throw new InvalidArgumentError('It must be a number such as 10 or 2.5.');
  return Number(text);
}
