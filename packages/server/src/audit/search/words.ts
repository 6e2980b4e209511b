/**
 * The words of a record, by which full text finds it: what was done, by whom, to what, and every text that it tells. Of
 * numbers only a status is a word, since nobody looks for a count of tokens.
 */
import type { StoredEvent } from '../stored-event.ts';

/** Letters and digits of any script; what stands between them divides words. */
const WORD = /[\p{L}\p{N}_]+/gu;
/** Characters of a word that are looked at; nobody types more. */
const WORD_CHARACTERS_MAX = 64;

export function splitWords(text: string): string[] {
  return (text.toLowerCase().match(WORD) ?? []).map((word) => word.slice(0, WORD_CHARACTERS_MAX));
}

export function wordsOf(event: StoredEvent): Set<string> {
  const words = new Set<string>();
  const add = (text: string | undefined) => {
    if (text !== undefined) for (const word of splitWords(text)) words.add(word);
  };
  add(event.action);
  add(event.actor);
  add(event.target);
  add(event.decision);
  add(event.requestId);
  add(event.address);
  addTexts(event.detail, add);
  return words;
}

function addTexts(detail: Readonly<Record<string, unknown>>, add: (text: string) => void): void {
  for (const name of Object.keys(detail)) {
    const value = detail[name];
    if (typeof value === 'string') add(value);
    else if (name === 'status') add(String(value));
    else if (Array.isArray(value)) for (const each of value) add(String(each));
    else if (typeof value === 'object' && value !== null)
      addTexts(value as Readonly<Record<string, unknown>>, add);
  }
}
