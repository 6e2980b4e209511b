/**
 * The words of a record, by which full text finds it: what was done, by whom, to what, and every text that it tells. Of
 * numbers only a status is a word, since nobody looks for a count of tokens; amounts of money are none, though they are texts.
 */
import type { StoredEvent } from '../stored-event.ts';

/** Letters and digits of any script; what stands between them divides words. */
const WORD = /[\p{L}\p{N}_]+/gu;
/** The same where a text is plain, which is most of them. */
const PLAIN_WORD = /[\da-z_]+/g;
// oxlint-disable-next-line no-control-regex -- all of ASCII
const PLAIN = /^[\0-\x7f]*$/;
/** Characters of a word that are looked at; nobody types more. */
const WORD_CHARACTERS_MAX = 64;

export function splitWords(text: string): string[] {
  const lower = text.toLowerCase();
  const words = lower.match(PLAIN.test(lower) ? PLAIN_WORD : WORD) ?? [];
  return words.map((word) => (word.length > WORD_CHARACTERS_MAX ? word.slice(0, WORD_CHARACTERS_MAX) : word));
}

export function wordsOf(event: StoredEvent): Set<string> {
  return new Set(splitWords(textsOf(event).join(' ')));
}

/** What the words of a record are in. */
export function textsOf(event: StoredEvent): string[] {
  const { action, actor, target, decision, requestId = '', address = '' } = event;
  const texts = [action, actor, target, decision, requestId, address];
  addTexts(event.detail, texts);
  return texts;
}

/** The texts of a detail that are made of words. */
export function addTexts(detail: Readonly<Record<string, unknown>>, texts: string[]): void {
  for (const name of Object.keys(detail)) {
    const value = detail[name];
    if (name.endsWith('_usd')) continue;
    if (typeof value === 'string') texts.push(value);
    else if (name === 'status') texts.push(String(value));
    else if (Array.isArray(value)) for (const each of value) texts.push(String(each));
    else if (typeof value === 'object' && value !== null)
      addTexts(value as Readonly<Record<string, unknown>>, texts);
  }
}
