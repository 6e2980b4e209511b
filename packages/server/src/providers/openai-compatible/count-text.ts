/** Responsible for how much text a streamed event carries: the base of an estimate when no usage arrives. */
import type { Endpoint } from '../provider.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const DELTA_KEY = Buffer.from('"delta":');
const TEXT_KEY = Buffer.from('"text":');

/**
 * Bytes of the strings inside every `delta` (chat) or `text` (completions) of an event, as JSON writes them: content,
 * refusals, reasoning and the arguments of tool calls alike. Never throws, whatever the bytes.
 */
export function countTextBytes(endpoint: Endpoint, event: Buffer): number {
  const key = endpoint === 'completions' ? TEXT_KEY : DELTA_KEY;
  let total = 0;
  for (let at = event.indexOf(key); at !== -1; at = event.indexOf(key, at)) {
    at += key.length;
    total += countStrings(event, at);
  }
  return total;
}

/** Bytes of the string values of the JSON value at `from`; keys do not count. */
function countStrings(event: Buffer, from: number): number {
  let total = 0;
  let depth = 0;
  for (let at = from; at < event.length; at++) {
    const byte = event[at] as number;
    if (byte === QUOTE) {
      const end = findStringEnd(event, at + 1);
      if (!isKey(event, end)) total += end - at - 1;
      at = end;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      continue;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    } else if (byte !== COMMA) {
      continue;
    }
    if (depth <= 0) break;
  }
  return total;
}

/** The offset of the closing quote, or the end of the event. */
function findStringEnd(event: Buffer, from: number): number {
  let at = from;
  while (at < event.length && event[at] !== QUOTE) at += event[at] === BACKSLASH ? 2 : 1;
  return Math.min(at, event.length);
}

function isKey(event: Buffer, closingQuote: number): boolean {
  let at = closingQuote + 1;
  while (event[at] === SPACE) at++;
  return event[at] === COLON;
}
