/** What may be said of a credential as options of `credentials create` and `update`, and as the body that the API takes. */
import { type Command, Option } from 'commander';
import { NONE, collectList, compact, orNone, readCount, toRule } from '../option-value.ts';

/** `none` clears a rule. */
type Rule<T> = T | typeof NONE;

const STREAM_POLICIES = ['full', 'usage', 'streamed'];

export interface CredentialOptions {
  readonly name?: string;
  readonly secretFile?: string;
  readonly baseUrl?: string;
  readonly allowNetworks?: Rule<readonly string[]>;
  readonly models?: Rule<readonly string[]>;
  readonly weight?: number;
  readonly streamPolicy?: string;
  readonly requestsPerMinute?: Rule<number>;
  readonly tokensPerMinute?: Rule<number>;
  readonly concurrentRequests?: Rule<number>;
}

/** `update` takes `none` where a rule can be cleared. */
export function addCredentialOptions(command: Command, mode: 'create' | 'update'): Command {
  const rule = <T>(flags: string, meaning: string, read: (text: string, previous: T | undefined) => T) => {
    const option = new Option(flags, mode === 'update' ? `${meaning} (${NONE}: no longer)` : meaning);
    return command.addOption(mode === 'update' ? option.argParser(orNone(read)) : option.argParser(read));
  };
  command
    .addOption(secretFileOption())
    .option('--base-url <url>', "where the provider is, if not at the vendor's own address");
  rule('--allow-networks <networks>', 'private networks (CIDR, by commas) that it may be in', collectList);
  rule('--models <names>', 'the models it offers, by commas, and no others', collectList);
  command.addOption(
    new Option('--weight <share>', 'its share of the calls among credentials that offer the same').argParser(
      readCount,
    ),
  );
  command.addOption(
    new Option('--stream-policy <policy>', 'how a stream that was cut off is charged').choices(
      STREAM_POLICIES,
    ),
  );
  rule('--requests-per-minute <count>', 'at most so many requests a minute', readCount);
  rule('--tokens-per-minute <count>', 'at most so many tokens a minute', readCount);
  rule('--concurrent-requests <count>', 'at most so many at a time', readCount);
  return command;
}

export function secretFileOption(): Option {
  return new Option('--secret-file <file>', 'the file that holds the secret; - is standard input');
}

/** The members that were given, as the API names them, without the secret; absent when there are none. */
export function toCredentialBody(options: CredentialOptions): Readonly<Record<string, unknown>> | undefined {
  const { allowNetworks } = options;
  return compact({
    name: options.name,
    base_url: options.baseUrl,
    allow_networks: allowNetworks === NONE ? [] : allowNetworks,
    models: toRule(options.models),
    weight: options.weight,
    stream_policy: options.streamPolicy,
    limits: compact({
      requests_per_minute: toRule(options.requestsPerMinute),
      tokens_per_minute: toRule(options.tokensPerMinute),
      concurrent_requests: toRule(options.concurrentRequests),
    }),
  });
}
