/**
 * Responsible for the ids of tool calls: OpenAI takes at most 40 characters in a request, and some compatible servers give
 * their calls none.
 */
import { createHash } from 'node:crypto';

/** Longer ones are refused by OpenAI with `string_above_max_length`. */
export const CALL_ID_LENGTH_MAX = 40;

/** The id under which a call and its result are sent: itself, or a shorter one that is the same for both. */
export function writeCallId(id: string): string {
  return id.length > CALL_ID_LENGTH_MAX ? derive(id) : id;
}

/** For a call that came without one: the same for the same place in the same answer. */
export function makeCallId(answerId: string, choice: number, position: number): string {
  return derive(`${answerId}/${choice}/${position}`);
}

function derive(text: string): string {
  return `call_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
}
