/** What the rest of the server sees of its configuration: parsed, checked and frozen. */

import type { Nanos } from '@keyfold/protocol';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** What is refused while an audit sink is behind: calls and changes, or changes alone. */
export const SINK_REFUSALS = ['everything', 'changes'] as const;

export type SinkRefusal = (typeof SINK_REFUSALS)[number];

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where to listen. `host` is a name or an address, IPv6 without brackets; `port` 0 lets the system choose. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Every path is absolute. */
export interface Config {
  readonly listen: Endpoint;
  /** Where the control plane answers, and then only there. */
  readonly controlListen: Endpoint | undefined;
  readonly dataDir: string;
  /** `postgres://…`; SQLite in `<dataDir>/data` when absent. Holds a password: never log it. */
  readonly databaseUrl: string | undefined;
  readonly rootKeyFile: string;
  /** Where the first admin key is written instead of being printed. */
  readonly adminKeyFile: string | undefined;
  /** What the organization of the first start is granted; absent: it pays for nothing in advance. */
  readonly welcomeCredit: Nanos | undefined;
  /** CIDRs whose `x-forwarded-*` headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Public keys of who may report leaks without a Keyfold key. */
  readonly leakPartnerKeysFile: string | undefined;
  /** Networks that webhooks and audit sinks may reach although they are not public. */
  readonly webhookNetworks: readonly string[];
  /** An append-only file of signed checkpoints. */
  readonly auditCheckpointFile: string | undefined;
  readonly auditCheckpointSyslog: (Endpoint & { readonly isTls: boolean }) | undefined;
  readonly auditCheckpointWebhook: { readonly url: string; readonly secretFile: string } | undefined;
  /** A sink that is behind for longer refuses what `auditSinkRefuses` says. */
  readonly auditSinkLagMs: number;
  readonly auditSinkRefuses: SinkRefusal;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly logLevel: LogLevel;
  readonly allowPlaintext: boolean;
  readonly bodyBytesMax: number;
  readonly stopTimeoutMs: number;
  readonly providerHeadersTimeoutMs: number;
  readonly providerIdleTimeoutMs: number;
  /** After it the rows of calls are removed; never when absent. */
  readonly callsKeptDays: number | undefined;
  /** After it audit records are archived and removed; never when absent. */
  readonly auditArchive: { readonly keptDays: number; readonly folder: string } | undefined;
}

/** The configuration cannot be used. Each problem is a sentence that names the setting and says what to do. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
