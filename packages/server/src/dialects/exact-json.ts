/**
 * JSON whose numbers survive the way through a program: a whole number beyond what a double holds keeps its digits, so
 * that a tool's argument such as a 64-bit id arrives as it was sent.
 */
import type { JsonValue } from './chat.ts';

/** Parses text that a strict scan has accepted. Throws `SyntaxError` for what is not JSON. */
export function parseExactJson(text: string): JsonValue {
  return JSON.parse(text, keepDigits) as JsonValue;
}

/** What `JSON.stringify` writes as it was read. Node has it; TypeScript's library does not declare it yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return WHOLE.test(source) ? rawJSON(source) : value;
}

const WHOLE = /^-?\d+$/;
