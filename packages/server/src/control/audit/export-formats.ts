/** What an export looks like: JSON Lines, CSV for spreadsheets, syslog (RFC 5424) for collectors. One line a record, whatever it holds. */
import type { ChainRow } from '../../audit/export/read-chain.ts';
import { renderExportLine } from '../../audit/export/export-line.ts';
import { readRecord } from '../../audit/call-record.ts';
import { type StoredEvent, readEvent } from '../../audit/stored-event.ts';
import { renderCsv } from '../money/csv.ts';

export const EXPORT_FORMATS = ['jsonl', 'csv', 'syslog'] as const;
export type ExportFormatName = (typeof EXPORT_FORMATS)[number];

export interface ExportFormat {
  readonly contentType: string;
  /** What comes before the first record. */
  readonly beginning: string;
  readonly line: (row: ChainRow) => string;
}

const COLUMNS = [
  'node',
  'sequence',
  'time',
  'actor',
  'action',
  'target',
  'decision',
  'request_id',
  'organization_id',
  'address',
  'cost_usd',
  'detail',
] as const;

/** `isWhole`: with the bytes that were hashed, and the heads. Otherwise an event is told in its long form. */
export function exportFormat(name: ExportFormatName, isWhole: boolean): ExportFormat {
  if (name === 'csv') {
    const beginning = renderCsv(COLUMNS, []);
    return { contentType: 'text/csv; charset=utf-8', beginning, line: renderCsvLine };
  }
  if (name === 'syslog') {
    return { contentType: 'text/plain; charset=utf-8', beginning: '', line: renderSyslogLine };
  }
  return {
    contentType: 'application/jsonl',
    beginning: '',
    line: isWhole ? renderExportLine : renderLongLine,
  };
}

function renderLongLine(row: ChainRow): string {
  const isReadable = readStored(row).action !== UNREADABLE;
  const { node, sequence, record } = row;
  return `${JSON.stringify(isReadable ? readRecord(record) : { node, sequence, action: UNREADABLE, record })}\n`;
}

function renderCsvLine(row: ChainRow): string {
  const event = readStored(row);
  const cells = [
    String(event.node),
    String(event.sequence),
    renderTime(event),
    event.actor,
    event.action,
    event.target,
    event.decision,
    event.requestId ?? '',
    event.organizationId ?? '',
    event.address ?? '',
    event.costUsd ?? '',
    renderDetail(event),
  ];
  return cells.map((cell) => renderCell(escapeControls(cell))).join(',') + '\r\n';
}

/** The same rules as for other CSV, a cell at a time. */
function renderCell(text: string): string {
  // Some spreadsheets take the wide forms of these signs for the signs.
  const plain = /^[＝＋－＠]/.test(text) ? `'${text}` : text;
  return renderCsv([plain], []).slice(0, -2);
}

/** "log audit" (RFC 5424, table 1). */
const FACILITY = 13;
const SEVERITY = { allowed: 6, denied: 4 } as const;
/** The enterprise number that RFC 5612 sets aside for documentation: Keyfold has none. */
const ELEMENT = 'keyfold@32473';
const MESSAGE_ID_CHARACTERS_MAX = 32;

function renderSyslogLine(row: ChainRow): string {
  const event = readStored(row);
  const priority = FACILITY * 8 + SEVERITY[event.decision === 'denied' ? 'denied' : 'allowed'];
  const messageId = event.action.replaceAll(/[^!-~]/g, '?').slice(0, MESSAGE_ID_CHARACTERS_MAX);
  const parameters = [
    ['node', String(event.node)],
    ['sequence', String(event.sequence)],
    ['actor', event.actor],
    ['target', event.target],
    ['decision', event.decision],
    ['request_id', event.requestId],
    ['organization_id', event.organizationId],
    ['address', event.address],
    ['cost_usd', event.costUsd],
  ].flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${escapeParameter(value)}"`]));
  const time = renderTime(event) || '-';
  const head = `<${priority}>1 ${time} - keyfold ${event.node} ${messageId || '-'}`;
  return `${head} [${ELEMENT}${parameters.join('')}] ${escapeBeyondAscii(renderDetail(event))}\n`;
}

/** RFC 5424, 6.3.3: a quote, a backslash and a closing bracket are escaped, and nothing else. */
function escapeParameter(text: string): string {
  return escapeControls(text).replaceAll(/["\\\]]/g, (sign) => `\\${sign}`);
}

/** As JSON writes them, so that a name cannot begin a line of its own. U+2028 and U+2029 are line ends to some. */
function escapeControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, escapeUnit);
}

/** JSON in ASCII alone: without a byte order mark a message has no declared encoding. */
function escapeBeyondAscii(json: string): string {
  return json.replaceAll(/[^ -~]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function renderDetail({ detail }: StoredEvent): string {
  return JSON.stringify(detail);
}

function renderTime({ timeMs }: StoredEvent): string {
  return Number.isNaN(timeMs) ? '' : new Date(timeMs).toISOString();
}

/** Instead of an action. */
const UNREADABLE = 'unreadable';

/** A record that was edited into something else is exported all the same: an export must not depend on what it is to show. */
function readStored({ node, sequence, atMs, record }: ChainRow): StoredEvent {
  try {
    const event = readEvent(record);
    if (Number.isSafeInteger(event.node) && Number.isSafeInteger(event.sequence)) return event;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError))
      throw error;
  }
  return {
    node,
    sequence,
    timeMs: atMs,
    action: UNREADABLE,
    actor: '',
    target: '',
    decision: '',
    requestId: undefined,
    organizationId: undefined,
    address: undefined,
    costUsd: undefined,
    detail: { record },
  };
}
