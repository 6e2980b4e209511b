/** The rules of a key as options of `keys create` and `keys update`, and as the body that the API takes. */
import { type Command, Option } from 'commander';
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
    auto_rotate: options.autoRotate,
    rotation_interval: options.rotationIntervalS,
    signing: toSigning(options),
    metadata: options.metadata,
  });
}
