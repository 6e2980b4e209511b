/**
 * JSON whose numbers survive the way through a program: a whole number beyond what a double holds keeps its digits, so
 * that a tool's argument such as a 64-bit id arrives as it was sent, and one beyond all doubles does not become null.
 */
import type { JsonValue } from './chat.ts';

/** Parses text that a strict scan has accepted. Throws `SyntaxError` for what is not JSON. */
export function parseExactJson(text: string): JsonValue {
  return JSON.parse(text, keepDigits) as JsonValue;
}

/** True of a number that has kept its digits: an object to JavaScript, and none in JSON. */
export function isExactNumber(value: unknown): boolean {
  return isRawJSON(value);
}

/** What `JSON.stringify` writes as it was read. Node has it; TypeScript's library does not declare it yet. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  readonly rawJSON: (text: string) => unknown;
  readonly isRawJSON: (value: unknown) => boolean;
};

function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return WHOLE.test(source) || !Number.isFinite(value) ? rawJSON(source) : value;
}

const WHOLE = /^-?\d+$/;
