/** Tables for people: aligned columns, two spaces apart, and nothing in a cell that could move the cursor. */
import { type Style, plainStyle } from './style.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right' | undefined;
}

const GAP = '  ';
/** Control characters, separators, and marks that are not seen or change the direction of text: all could disguise what a cell says. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Characters that take two cells in every common terminal font. */
const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\u{1F300}-\u{1FAFF}]/u;
const COMBINING = /\p{Mn}/u;

/** Lines that end in a line break each: the titles, then the rows. A missing cell is empty. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style = plainStyle,
): string {
  const titles = columns.map(({ title }) => title.toUpperCase());
  const safeRows = rows.map((row) => row.map(escapeUnsafe));
  const widths = columns.map((_, index) =>
    Math.max(...[titles, ...safeRows].map((row) => widthOf(row[index] ?? ''))),
  );
  const renderLine = (row: readonly string[]): string =>
    columns
      .map(({ align }, index) => pad(row[index] ?? '', { width: widths[index] ?? 0, align }))
      .join(GAP)
      .trimEnd();
  return [style('heading', renderLine(titles)), ...safeRows.map(renderLine)]
    .map((line) => `${line}\n`)
    .join('');
}

/** One line a field: its name, then its value. */
export function renderFields(
  fields: readonly (readonly [name: string, value: string])[],
  style: Style,
): string {
  const width = Math.max(0, ...fields.map(([name]) => widthOf(name)));
  return fields
    .map(([name, value]) => `${style('quiet', pad(name, { width }))}${GAP}${escapeUnsafe(value)}\n`)
    .join('');
}

/** The text with every unsafe character as `\u{…}`, its code point. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}

function pad(text: string, to: { width: number; align?: Column['align'] }): string {
  const padding = ' '.repeat(Math.max(0, to.width - widthOf(text)));
  return to.align === 'right' ? padding + text : text + padding;
}

function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}
