/** What may be said of a route as options of `routes create` and `update`, and as the body that the API takes. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { NONE, compact, orNone, readCount, toRule } from '../option-value.ts';

/** One target as it was written. The credential may be called by its name. */
export interface TargetOption {
  readonly model: string;
  readonly weight?: number;
  readonly priority?: number;
  readonly credential?: string;
}

export interface RouteOptions {
  readonly target?: readonly TargetOption[];
  readonly attemptsMax?: number;
  readonly firstTokenTimeoutMs?: number | typeof NONE;
  readonly answerTimeoutMs?: number | typeof NONE;
}

const PRIORITY = /^[0-9]{1,3}$/;

/** `update` takes `none` where a time-out can be cleared. */
export function addRouteOptions(command: Command, mode: 'create' | 'update'): Command {
  const target = new Option(
    '--target <target>',
    'provider/model[,weight=N][,priority=N][,credential=ID|NAME]; may be repeated',
  ).argParser(collectTarget);
  const timeout = (flags: string, meaning: string) => {
    const option = new Option(flags, mode === 'update' ? `${meaning} (${NONE}: no longer)` : meaning);
    return mode === 'update' ? option.argParser(orNone(readCount)) : option.argParser(readCount);
  };
  return command
    .addOption(mode === 'create' ? target.makeOptionMandatory() : target)
    .addOption(
      new Option('--attempts-max <count>', 'attempts of one call, over all targets').argParser(readCount),
    )
    .addOption(
      timeout(
        '--first-token-timeout-ms <ms>',
        'give a stream that has said nothing by then up for another target',
      ),
    )
    .addOption(
      timeout('--answer-timeout-ms <ms>', 'give an answer that has not come by then up for another target'),
    );
}

/** The members of `retry` that were given, as the API names them; absent when there are none. */
export function toRetryBody(options: RouteOptions): Readonly<Record<string, unknown>> | undefined {
  return compact({
    attempts_max: options.attemptsMax,
    first_token_timeout_ms: toRule(options.firstTokenTimeoutMs),
    answer_timeout_ms: toRule(options.answerTimeoutMs),
  });
}

/** `openai/gpt-4.1,weight=2,priority=1`, repeated. */
function collectTarget(text: string, previous: readonly TargetOption[] | undefined): readonly TargetOption[] {
  const [model = '', ...settings] = text.split(',').map((part) => part.trim());
  if (!/^[^/=]+\/./.test(model)) {
    throw new InvalidArgumentError('It must begin with provider/model, such as openai/gpt-4.1.');
  }
  return [...(previous ?? []), settings.reduce(readSetting, { model })];
}

function readSetting(target: TargetOption, setting: string): TargetOption {
  const border = setting.indexOf('=');
  const [name, value] = [setting.slice(0, Math.max(0, border)), setting.slice(border + 1)];
  if (name in target) throw new InvalidArgumentError(`It says '${name}' twice.`);
  switch (name) {
    case 'weight':
      return { ...target, weight: readCount(value) };
    case 'priority':
      if (!PRIORITY.test(value)) throw new InvalidArgumentError('A priority is a whole number from 0.');
      return { ...target, priority: Number(value) };
    case 'credential':
      if (value === '') throw new InvalidArgumentError('A credential is named by its id or name.');
      return { ...target, credential: value };
    default:
      throw new InvalidArgumentError(
        "After the model come weight=N, priority=N and credential=ID, by commas; more targets are more --target's.",
      );
  }
}
