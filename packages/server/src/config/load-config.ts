/** Loads the configuration: every setting parsed and checked against the others, once, into a frozen object. */
import { isIPv4 } from 'node:net';
import { type Config, ConfigError, type Endpoint } from './config.ts';
import { formatEndpoint } from './parse-value.ts';
import { type ConfigSources, resolveSettings } from './resolve-settings.ts';
import type { SettingValues } from './settings.ts';

const MS_PER_S = 1_000;

/** Throws `ConfigError` with every problem found, not only the first. */
export function loadConfig(from: ConfigSources): Config {
  const { values, problems } = resolveSettings(from);
  if (problems.length > 0) throw new ConfigError(problems);
  const conflicts = [
    ...findTlsConflicts(values),
    ...findListenConflicts(values),
    ...findArchiveConflicts(values),
    ...findWebhookConflicts(values),
  ];
  if (conflicts.length > 0) throw new ConfigError(conflicts);
  return deepFreeze({
    listen: values.listen,
    controlListen: values.control_listen,
    dataDir: values.data_dir,
    databaseUrl: values.database_url,
    // Given with every data directory, which is there when nothing was a problem.
    rootKeyFile: values.root_key_file ?? '',
    adminKeyFile: values.admin_key_file,
    welcomeCredit: values.welcome_credit_usd,
    trustedProxies: values.trusted_proxies,
    leakPartnerKeysFile: values.leak_partner_keys_file,
    webhookNetworks: values.webhook_networks,
    auditCheckpointFile: values.audit_checkpoint_file,
    auditCheckpointSyslog: values.audit_checkpoint_syslog,
    auditCheckpointWebhook: readWebhook(values),
    auditSinkLagMs: values.audit_sink_lag_s * MS_PER_S,
    auditSinkRefuses: values.audit_sink_refuses,
    tls: readTls(values),
    logLevel: values.log_level,
    allowPlaintext: values.allow_plaintext,
    bodyBytesMax: values.body_bytes_max,
    stopTimeoutMs: values.stop_timeout_s * MS_PER_S,
    providerHeadersTimeoutMs: values.provider_headers_timeout_s * MS_PER_S,
    providerIdleTimeoutMs: values.provider_idle_timeout_s * MS_PER_S,
    callsKeptDays: values.calls_kept_days,
    auditArchive: readAuditArchive(values),
  });
}

function readTls({ tls_cert_file: certFile, tls_key_file: keyFile }: SettingValues): Config['tls'] {
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
}

function findTlsConflicts({ tls_cert_file: certFile, tls_key_file: keyFile }: SettingValues): string[] {
  if ((certFile === undefined) === (keyFile === undefined)) return [];
  const [given, missing] = certFile === undefined ? ['KEY', 'CERT'] : ['CERT', 'KEY'];
  return [`KEYFOLD_TLS_${given}_FILE is set without KEYFOLD_TLS_${missing}_FILE: set both, or neither`];
}

function readAuditArchive(values: SettingValues): Config['auditArchive'] {
  const { audit_kept_days: keptDays, audit_archive_dir: folder } = values;
  return keptDays === undefined || folder === undefined ? undefined : { keptDays, folder };
}

function findArchiveConflicts(values: SettingValues): string[] {
  const { audit_kept_days: keptDays, audit_archive_dir: folder } = values;
  if ((keptDays === undefined) === (folder === undefined)) return [];
  const [given, missing] =
    keptDays === undefined ? ['ARCHIVE_DIR', 'KEPT_DAYS'] : ['KEPT_DAYS', 'ARCHIVE_DIR'];
  return [`KEYFOLD_AUDIT_${given} is set without KEYFOLD_AUDIT_${missing}: set both, or neither`];
}

function readWebhook(values: SettingValues): Config['auditCheckpointWebhook'] {
  const { audit_checkpoint_webhook: url, audit_checkpoint_webhook_secret_file: secretFile } = values;
  return url === undefined || secretFile === undefined ? undefined : { url, secretFile };
}

function findWebhookConflicts(values: SettingValues): string[] {
  const { audit_checkpoint_webhook: url, audit_checkpoint_webhook_secret_file: secretFile } = values;
  if ((url === undefined) === (secretFile === undefined)) return [];
  const [given, missing] = url === undefined ? ['_SECRET_FILE', ''] : ['', '_SECRET_FILE'];
  const name = 'KEYFOLD_AUDIT_CHECKPOINT_WEBHOOK';
  return [`${name}${given} is set without ${name}${missing}: set both, or neither`];
}

function findListenConflicts(values: SettingValues): string[] {
  const { listen, control_listen: controlListen } = values;
  const problems: string[] = [];
  const isPlain = values.tls_cert_file === undefined && !values.allow_plaintext;
  if (isPlain && !isLoopback(listen)) problems.push(describeExposure('KEYFOLD_LISTEN', listen));
  if (controlListen === undefined) return problems;
  if (isPlain && !isLoopback(controlListen)) {
    problems.push(describeExposure('KEYFOLD_CONTROL_LISTEN', controlListen));
  }
  if (controlListen.port !== 0 && formatEndpoint(controlListen) === formatEndpoint(listen)) {
    problems.push('KEYFOLD_CONTROL_LISTEN is the same as KEYFOLD_LISTEN: choose another port');
  }
  return problems;
}

function describeExposure(name: string, endpoint: Endpoint): string {
  return (
    `${name} ${formatEndpoint(endpoint)} is reachable from other machines, and keys would cross the network unencrypted: ` +
    'set KEYFOLD_TLS_CERT_FILE and KEYFOLD_TLS_KEY_FILE, or KEYFOLD_ALLOW_PLAINTEXT=1 where something in front terminates TLS'
  );
}

/** Only what surely never leaves the machine: any name but `localhost` may resolve to anything. */
function isLoopback({ host }: Endpoint): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function deepFreeze(config: Config): Config {
  for (const value of Object.values(config)) Object.freeze(value);
  return Object.freeze(config);
}
