/** Tells what a machine drew at random from what a person wrote to show where a secret goes. */

/** Of 16 random characters out of 32, the shortest that are looked at, one in ten million has less. */
const ENTROPY_BITS_MIN = 2.2;
/** Long enough that none of them is in a random text by chance. */
const TELLING_WORDS =
  /example|placeholder|redacted|changeme|xxxxxx|[.*]{6}|(?:your|test|fake|dummy|sample)[_-]?(?:api|key|token|secret)/i;

/** Whether the text may be the random part of a secret. Expects at least 16 characters. */
export function looksRandom(text: string): boolean {
  return (
    entropyBits(text) >= ENTROPY_BITS_MIN &&
    !isRepeated(text) &&
    !isCounting(text) &&
    !TELLING_WORDS.test(text)
  );
}

/** Shannon's entropy per character. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** `abc123abc123…`: the text goes on as it began. */
function isRepeated(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return true;
  }
  return false;
}

/** `abcdef…`, `AbCdEf…`, `a1b2c3…`: half of the characters follow the one before them, or the one before that. */
function isCounting(text: string): boolean {
  const codes = Array.from(text.toLowerCase(), (character) => character.charCodeAt(0));
  return [1, 2].some((distance) => {
    const steps = codes.filter((code, index) => code - (codes[index - distance] ?? Number.NaN) === 1).length;
    return steps >= text.length / 2;
  });
}
