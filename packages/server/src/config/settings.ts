/** The schema of all settings: their names, what each means, how it is read, and what holds when it is not given. */
import { LOG_LEVELS, SINK_REFUSALS } from './config.ts';
import {
  type ParseValue,
  parseChoice,
  parseDatabaseUrl,
  parseDollars,
  parseEndpoint,
  parseFlag,
  parseInteger,
  parseNetworks,
  parsePath,
  parseSyslogAddress,
  parseWebUrl,
} from './parse-value.ts';

export interface Setting<T> {
  /** One sentence for help and documentation. */
  readonly meaning: string;
  /** What stands for the value in help texts, without its angle brackets. */
  readonly placeholder: string;
  readonly parse: ParseValue<T>;
  /** The default as one would write it; `undefined` where the setting may be absent. */
  readonly fallback: string | undefined;
  /** What documentation says of a default that no fixed text expresses. */
  readonly fallbackMeaning?: string;
}

const DAY_S = 86_400;
const HOUR_S = 3_600;
const CENTURY_DAYS = 36_525;
const GIBIBYTE = 1_073_741_824;

/** By the name in `keyfold.yaml`; the environment says `KEYFOLD_` and capitals, a flag says `--` and hyphens. */
export const SETTINGS = {
  listen: {
    meaning: 'Where the gateway listens: host:port, IPv6 in brackets, port 0 for any free one.',
    placeholder: 'host:port',
    parse: parseEndpoint,
    fallback: '127.0.0.1:8080',
  },
  control_listen: {
    meaning: 'A second listener for the management API, which then answers only there.',
    placeholder: 'host:port',
    parse: parseEndpoint,
    fallback: undefined,
    fallbackMeaning: 'with the gateway',
  },
  data_dir: {
    meaning:
      'Directory of the root key and, without `KEYFOLD_DATABASE_URL`, of the SQLite database in `data/`.',
    placeholder: 'directory',
    parse: parsePath,
    fallback: '.keyfold',
  },
  database_url: {
    meaning: 'PostgreSQL: `postgres://user:password@host:port/database`.',
    placeholder: 'url',
    parse: parseDatabaseUrl,
    fallback: undefined,
    fallbackMeaning: 'SQLite in `<data dir>/data`',
  },
  root_key_file: {
    meaning: 'The root key, 64 hexadecimal characters in a file of mode 0600; made on the first start.',
    placeholder: 'file',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: '`<data dir>/root.key`',
  },
  admin_key_file: {
    meaning: 'Where the first start writes the admin key, mode 0600, instead of printing it.',
    placeholder: 'file',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: 'printed',
  },
  welcome_credit_usd: {
    meaning: 'Prepaid credit that the first start grants its organization; calls then need credit.',
    placeholder: 'usd',
    parse: parseDollars,
    fallback: undefined,
    fallbackMeaning: 'no prepaid credit',
  },
  trusted_proxies: {
    meaning: 'Networks (CIDR, separated by commas) of the proxies whose `x-forwarded-for` is believed.',
    placeholder: 'networks',
    parse: parseNetworks,
    fallback: '',
    fallbackMeaning: 'none',
  },
  leak_partner_keys_file: {
    meaning:
      'The public keys (JSON, as GitHub publishes them) whose signed leak reports `POST /v1/leaks` believes.',
    placeholder: 'file',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: 'no partner is believed',
  },
  webhook_networks: {
    meaning:
      'Networks (CIDR, separated by commas) that webhooks and audit sinks may reach although they are not public.',
    placeholder: 'networks',
    parse: parseNetworks,
    fallback: '',
    fallbackMeaning: 'none',
  },
  audit_checkpoint_file: {
    meaning: 'A file to which every signed checkpoint of the audit log is appended; best on another machine.',
    placeholder: 'file',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: 'none',
  },
  audit_checkpoint_syslog: {
    meaning: 'A syslog receiver of checkpoints: `tcp://host:port` or `tls://host:port`.',
    placeholder: 'url',
    parse: parseSyslogAddress,
    fallback: undefined,
    fallbackMeaning: 'none',
  },
  audit_checkpoint_webhook: {
    meaning: 'A URL (`https://`) to which checkpoints are posted, signed with the secret below.',
    placeholder: 'url',
    parse: parseWebUrl,
    fallback: undefined,
    fallbackMeaning: 'none',
  },
  audit_checkpoint_webhook_secret_file: {
    meaning: 'The secret (`whsec_…`) of that webhook, in a file of mode 0600.',
    placeholder: 'file',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: 'none',
  },
  audit_sink_lag_s: {
    meaning: 'Seconds that an audit sink may hear nothing of what it should before Keyfold refuses with 503.',
    placeholder: 'seconds',
    parse: parseInteger(1, 7 * DAY_S),
    fallback: '900',
  },
  audit_sink_refuses: {
    meaning: 'What is refused then: `everything` (calls and changes) or `changes` alone. Reads go on.',
    placeholder: 'what',
    parse: parseChoice(SINK_REFUSALS),
    fallback: 'everything',
  },
  tls_cert_file: {
    meaning: 'Certificate chain (PEM). Together with `KEYFOLD_TLS_KEY_FILE` or not at all.',
    placeholder: 'file',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: 'no TLS',
  },
  tls_key_file: {
    meaning: 'Private key (PEM) of the certificate.',
    placeholder: 'file',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: 'no TLS',
  },
  log_level: {
    meaning: `The least severe messages that are logged: ${LOG_LEVELS.join(', ')}.`,
    placeholder: 'level',
    parse: parseChoice(LOG_LEVELS),
    fallback: 'info',
  },
  allow_plaintext: {
    meaning: '1 permits listening without TLS on an address that other machines reach.',
    placeholder: '0|1',
    parse: parseFlag,
    fallback: '0',
  },
  body_bytes_max: {
    meaning: 'Bytes of the largest request body that is read; a larger one is refused with 413.',
    placeholder: 'bytes',
    parse: parseInteger(1_024, GIBIBYTE),
    fallback: '10485760',
  },
  stop_timeout_s: {
    meaning: 'Seconds that running calls have to finish after SIGTERM.',
    placeholder: 'seconds',
    parse: parseInteger(0, HOUR_S),
    fallback: '30',
  },
  provider_headers_timeout_s: {
    meaning: 'Seconds until a provider must have answered with headers, else 504.',
    placeholder: 'seconds',
    parse: parseInteger(1, DAY_S),
    fallback: '60',
  },
  provider_idle_timeout_s: {
    meaning: 'Seconds that a provider may send nothing in the middle of an answer.',
    placeholder: 'seconds',
    parse: parseInteger(1, DAY_S),
    fallback: '120',
  },
  calls_kept_days: {
    meaning: 'Days that the row of a call is kept; its sums and its audit records stay.',
    placeholder: 'days',
    parse: parseInteger(1, CENTURY_DAYS),
    fallback: undefined,
    fallbackMeaning: 'for ever',
  },
  audit_kept_days: {
    meaning:
      'Days that audit records stay in the database; older ones are archived. With `KEYFOLD_AUDIT_ARCHIVE_DIR` or not at all.',
    placeholder: 'days',
    parse: parseInteger(1, CENTURY_DAYS),
    fallback: undefined,
    fallbackMeaning: 'for ever',
  },
  audit_archive_dir: {
    meaning: 'Directory that archived audit records are written to, as files that can be verified.',
    placeholder: 'directory',
    parse: parsePath,
    fallback: undefined,
    fallbackMeaning: 'nothing is archived',
  },
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;

/** The parsed value of every setting; `undefined` only for those without a default. */
export type SettingValues = {
  [Name in SettingName]:
    | ReturnType<(typeof SETTINGS)[Name]['parse']>
    | ((typeof SETTINGS)[Name]['fallback'] extends string ? never : undefined);
};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** `listen` → `KEYFOLD_LISTEN`. */
export function environmentName(name: SettingName): string {
  return `KEYFOLD_${name.toUpperCase()}`;
}

/** `data_dir` → `--data-dir`. */
export function flagName(name: SettingName): string {
  return `--${name.replaceAll('_', '-')}`;
}
