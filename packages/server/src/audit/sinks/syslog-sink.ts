/**
 * Checkpoints to a syslog receiver: one message each (RFC 5424), of the facility for audit logs, with the note as JSON text
 * in ASCII, so that no receiver has to guess an encoding.
 */
import { hostname } from 'node:os';
import type { SyslogTarget } from '../../upstream/send-syslog.ts';
import { sendSyslog } from '../../upstream/send-syslog.ts';
import type { StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';
import type { AuditSink, SinkOutcome } from './audit-sink.ts';

/** 13 is "log audit", 5 "notice": normal but significant. */
const PRIORITY = 13 * 8 + 5;
const HOST_CHARACTERS_MAX = 255;

export class SyslogSink implements AuditSink {
  readonly name = 'syslog';
  readonly #target: SyslogTarget;
  readonly #closing = new AbortController();

  constructor(target: SyslogTarget) {
    this.#target = target;
  }

  async deliver(page: readonly StoredCheckpoint[]): Promise<SinkOutcome> {
    const messages = page.map((checkpoint) => renderSyslog(checkpoint, hostname()));
    const problem = await sendSyslog(this.#target, messages, this.#closing.signal);
    return { delivered: problem === undefined ? page.length : 0, problem };
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }
}

export function renderSyslog({ node, size, atMs, note }: StoredCheckpoint, host: string): string {
  const header = [
    `<${PRIORITY}>1`,
    new Date(atMs).toISOString(),
    host.replaceAll(/[^!-~]/g, '').slice(0, HOST_CHARACTERS_MAX) || '-',
    'keyfold',
    '-',
    'audit.checkpoint',
    '-',
  ];
  return `${header.join(' ')} ${toAscii(JSON.stringify({ node, size, note }))}`;
}

function toAscii(json: string): string {
  return json.replaceAll(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
