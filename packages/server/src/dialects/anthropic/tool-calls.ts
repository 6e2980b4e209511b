/** Responsible for ids and arguments of tool calls in the forms that Anthropic takes. */
import type { JsonObject } from '../chat.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject } from '../reading.ts';

/**
 * An id of letters, digits, underscores and hyphens: Anthropic refuses others. Other vendors' ids may have more, and go
 * encoded; no two ids become one, so that calls and results still find each other.
 */
export function writeToolId(id: string): string {
  if (ALLOWED.test(id) && !id.startsWith(ENCODED)) return id;
  return `${ENCODED}${Buffer.from(id).toString('base64url')}`;
}

/** Arguments as the object that they are; `undefined` for what is no JSON object. */
export function parseArguments(json: string): JsonObject | undefined {
  try {
    const value = json === '' ? {} : parseExactJson(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const ALLOWED = /^[a-zA-Z0-9_-]+$/;
const ENCODED = 'toolu_kf_';
