/** Renders the outcome of a scan: a table with a summary for people, JSON for programs. */
import { type Style, plainStyle } from '../terminal/style.ts';
import { escapeUnsafe, renderTable } from '../terminal/table.ts';
import type { Finding } from './finding.ts';
import { LISTED_MAX, type Tally } from './tally.ts';

const COMMIT_CHARACTERS = 12;
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** Lines that end in a line break each. */
export function renderReport(tally: Tally, style: Style = plainStyle): string {
  const inHistory = tally.findings.some(({ commit }) => commit !== undefined);
  const columns = ['secret', 'what', 'where', ...(inHistory ? ['commit'] : []), 'fingerprint'];
  const rows = tally.findings.map((finding) => [
    finding.secret,
    finding.rule.name,
    `${finding.path}:${finding.line}:${finding.column}`,
    ...(inHistory ? [finding.commit?.id.slice(0, COMMIT_CHARACTERS) ?? ''] : []),
    finding.fingerprint,
  ]);
  const table =
    rows.length === 0
      ? ''
      : `${renderTable(
          columns.map((title) => ({ title })),
          rows,
          style,
        )}\n`;
  const unreadable = tally.unreadable.map(
    ({ path, reason }) => `${style('warning', 'unreadable:')} ${escapeUnsafe(path)} (${reason})\n`,
  );
  const notes = describeLimits(tally).map((note) => `${style('warning', 'note:')} ${escapeUnsafe(note)}\n`);
  return `${table}${unreadable.join('')}${notes.join('')}${style('quiet', summarize(tally))}\n`;
}

/** For programs. Nothing in it is a secret. */
export function toJson(tally: Tally): unknown {
  return {
    object: 'scan',
    found: tally.found,
    allowed: tally.allowed,
    files: tally.files,
    bytes: tally.bytes,
    binary_files: tally.binaryFiles,
    unreadable_files: tally.unreadableFiles,
    findings: tally.findings.map(toJsonFinding),
    unreadable: tally.unreadable,
    notes: describeLimits(tally),
  };
}

/** `1 file`, `1,234 files`. */
export function countOf(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

/** `999 bytes`, `1.5 kB`, `12 GB`: thousands of thousands. */
export function sizeOf(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const amount = bytes / 1_000 ** power;
  return `${power === 0 || amount >= 10 ? Math.floor(amount) : amount.toFixed(1)} ${UNITS[power] ?? ''}`;
}

export function describeLimits({ notes, found }: Tally): readonly string[] {
  if (found <= LISTED_MAX) return notes;
  return [...notes, `Only the first ${LISTED_MAX} of ${found} findings are listed.`];
}

function summarize({ files, bytes, found, allowed, binaryFiles }: Tally): string {
  const scanned = `Scanned ${countOf(files, 'file')}, ${sizeOf(bytes)}: ${found === 0 ? 'no secrets' : countOf(found, 'secret')}`;
  const rest = [
    ...(allowed > 0 ? [`${allowed} allowed`] : []),
    ...(binaryFiles > 0 ? [`${countOf(binaryFiles, 'binary file')} left out`] : []),
  ];
  return `${[scanned, ...rest].join(', ')}.`;
}

function toJsonFinding(finding: Finding): Record<string, unknown> {
  return {
    rule: finding.rule.id,
    name: finding.rule.name,
    secret: finding.secret,
    fingerprint: finding.fingerprint,
    path: finding.path,
    line: finding.line,
    column: finding.column,
    end_column: finding.endColumn,
    commit: finding.commit?.id,
    committed_at: finding.commit?.committedAt,
  };
}
