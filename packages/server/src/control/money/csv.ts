/** Writes CSV (RFC 4180) that a spreadsheet reads as text and numbers, never as formulas. */

/** How a spreadsheet knows a formula; the apostrophe before it makes it text. */
const FORMULA = /^[=+\-@\t\r]/;
const NEEDS_QUOTES = /[",\r\n]/;

export function renderCsv(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, ...rows].map((cells) => `${cells.map((cell) => renderCell(cell)).join(',')}\r\n`).join('');
}

function renderCell(text: string): string {
  const plain = FORMULA.test(text) ? `'${text}` : text;
  return NEEDS_QUOTES.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
