/** The rules of a key as options of `keys create` and `keys update`, and as the body that the API takes. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.ts';
import {
  NONE,
  collectList,
  collectPair,
  compact,
  orNone,
  readCount,
  readSeconds,
  readTime,
  readUsd,
  toRule,
} from '../option-value.ts';
import { type SigningOptions, addSigningOptions, toSigning } from './signing-options.ts';

/** `none` clears a rule. */
type Rule<T> = T | typeof NONE;

export interface KeyOptions extends SigningOptions {
  readonly name?: string;
  readonly permissions?: readonly string[];
  readonly models?: Rule<readonly string[]>;
  readonly networks?: Rule<readonly string[]>;
  readonly requestsPerMinute?: Rule<number>;
  readonly tokensPerMinute?: Rule<number>;
  readonly concurrentRequests?: Rule<number>;
  readonly perDayUsd?: Rule<string>;
  readonly perMonthUsd?: Rule<string>;
  readonly totalUsd?: Rule<string>;
  readonly notBefore?: Rule<string>;
  readonly expiresAt?: Rule<string>;
  readonly estimateMultiple?: Rule<number>;
  readonly estimateFloorUsd?: string;
  readonly clampOutput?: boolean;
  readonly autoRotate?: boolean;
  readonly rotationIntervalS?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** `update` takes `none` where a rule can be cleared. */
export function addKeyOptions(command: Command, mode: 'create' | 'update'): Command {
  const clearable = mode === 'update' ? ` (${NONE}: no longer)` : '';
  const rule = <T>(flags: string, meaning: string, read: (text: string, previous: T | undefined) => T) => {
    const option = new Option(flags, meaning + clearable);
    return command.addOption(mode === 'update' ? option.argParser(orNone(read)) : option.argParser(read));
  };
  command.option('--name <name>', 'what people call it');
  rule('--models <names>', 'only these models, by commas; a name may end in *', collectList);
  rule('--networks <networks>', 'only from these networks (CIDR), by commas', collectList);
  rule('--requests-per-minute <count>', 'at most so many requests a minute', readCount);
  rule('--tokens-per-minute <count>', 'at most so many tokens a minute', readCount);
  rule('--concurrent-requests <count>', 'at most so many at a time', readCount);
  rule('--per-day-usd <amount>', 'budget of a day', readUsd);
  rule('--per-month-usd <amount>', 'budget of a month', readUsd);
  rule('--total-usd <amount>', 'budget of its whole life', readUsd);
  rule('--not-before <time>', 'it works from then on: a time (RFC 3339), or a duration such as 2d', readTime);
  rule('--expires-at <time>', 'a time (RFC 3339), or a duration such as 90d', readTime);
  rule(
    '--estimate-multiple <n>',
    'hold so many times what its calls have cost, not the most they can',
    readMultiple,
  );
  command.addOption(
    new Option('--estimate-floor-usd <amount>', 'and no less than this a call').argParser(readUsd),
  );
  command.option('--clamp-output', 'let calls answer shorter where a budget has no room for all of it');
  if (mode === 'update') command.option('--no-clamp-output', 'refuse them instead');
  command.option('--auto-rotate', 'its holder renews it at every rotation interval');
  if (mode === 'update') command.option('--no-auto-rotate', 'it lives until it is rotated by hand');
  command.addOption(
    new Option('--rotation-interval-s <seconds>', 'how long a version lives').argParser(readSeconds),
  );
  addSigningOptions(command, mode);
  const metadata = new Option('--metadata <name=value>', 'a note of your own; may be repeated');
  return command.addOption(metadata.argParser(collectPair));
}

/** The members that were given, as the API names them; absent when there are none. */
export function toKeyBody(options: KeyOptions): Readonly<Record<string, unknown>> | undefined {
  return compact({
    name: options.name,
    permissions: options.permissions,
    models: toRule(options.models),
    networks: toRule(options.networks),
    limits: compact({
      requests_per_minute: toRule(options.requestsPerMinute),
      tokens_per_minute: toRule(options.tokensPerMinute),
      concurrent_requests: toRule(options.concurrentRequests),
    }),
    budgets: compact({
      per_day_usd: toRule(options.perDayUsd),
      per_month_usd: toRule(options.perMonthUsd),
      total_usd: toRule(options.totalUsd),
    }),
    not_before: toRule(options.notBefore),
    expires_at: toRule(options.expiresAt),
    estimate: toEstimate(options),
    clamp_output: options.clampOutput,
    auto_rotate: options.autoRotate,
    rotation_interval: options.rotationIntervalS,
    signing: toSigning(options),
    metadata: options.metadata,
  });
}

function toEstimate({ estimateMultiple, estimateFloorUsd }: KeyOptions): object | undefined {
  if (estimateMultiple === NONE) return { policy: 'worst_case' };
  if (estimateMultiple === undefined && estimateFloorUsd === undefined) return undefined;
  if (estimateMultiple === undefined) {
    throw new CommandFailure(EXIT.usage, '--estimate-floor-usd goes with --estimate-multiple.', {
      advice: 'A floor is of what is measured: say how many times that is held.',
    });
  }
  return { policy: 'measured', multiple: estimateMultiple, floor_usd: estimateFloorUsd };
}

function readMultiple(text: string): number {
  const multiple = /^[0-9]{1,3}(?:\.[0-9]{1,2})?$/.test(text) ? Number(text) : 0;
  if (multiple >= 1 && multiple <= 100) return multiple;
  throw new InvalidArgumentError('It is a number from 1 to 100 with at most two decimals.');
}
