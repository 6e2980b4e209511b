/** Finds secrets in text that arrives in pieces, with line and column, in memory that does not grow with the text. */
import { LineCursor } from './line-cursor.ts';
import { RULES, type Rule, SECRET_CHARACTERS_MAX } from './rules.ts';

export interface Match {
  readonly rule: Rule;
  readonly secret: string;
  /** How much of it says no more than what it is. */
  readonly prefixLength: number;
  readonly line: number;
  readonly column: number;
  /** The column behind its last character. */
  readonly endColumn: number;
  /** `keyfold:allow` is on the same line, at most {@link MARK_DISTANCE_MAX} characters away. */
  readonly isMarked: boolean;
}

export const MARK = 'keyfold:allow';
export const MARK_DISTANCE_MAX = 512;
/** A file of nothing but secrets must not fill the memory: what follows these is not looked at. */
export const MATCHES_MAX = 10_000;

/** What must be there on either side of a match to judge it. */
const HELD_BACK = SECRET_CHARACTERS_MAX + MARK_DISTANCE_MAX;
/** Fewer characters than this are not worth a pass. */
const PASS_CHARACTERS_MIN = 65_536;
const UTF8_BYTE_ORDER_MARK = '\u{ef}\u{bb}\u{bf}';

const RULES_BY_PREFIX = Map.groupBy(RULES, ({ prefix }) => prefix);
/** One pass for all: the engine skips what begins no prefix, and rules are tried only where one begins. */
const CANDIDATE = new RegExp(
  [...RULES_BY_PREFIX.keys()].map((prefix) => prefix.replaceAll('.', '\\.')).join('|'),
  'g',
);
/** Where a secret may begin: behind no letter, digit, `_` or `-`, but behind an escape that ends so: `\n`, `%3D`, a colour. */
const START =
  /(?<![\w-])|(?<=\\[bfnrtv]|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|\[[0-9;]{0,16}m)/y;

export class TextScanner {
  readonly matches: Match[] = [];
  readonly #cursor = new LineCursor();
  /** Bytes as Latin-1: what is not yet judged, with what stands before it. */
  #text = '';
  #judged = 0;
  #isFirstPass = true;

  write(bytes: Buffer): void {
    this.#text += bytes.toString('latin1');
    if (this.#text.length < PASS_CHARACTERS_MIN + 2 * HELD_BACK) return;
    this.#judgeUpTo(this.#text.length - HELD_BACK);
    const dropped = this.#judged - HELD_BACK;
    this.#cursor.moveTo(this.#text, dropped);
    this.#text = this.#text.slice(dropped);
    this.#judged -= dropped;
    this.#cursor.rebase(dropped);
  }

  /** Every match, in the order of the text. Nothing may be written after it. */
  end(): readonly Match[] {
    this.#judgeUpTo(this.#text.length);
    return this.matches;
  }

  #judgeUpTo(limit: number): void {
    if (this.#isFirstPass && this.#text.startsWith(UTF8_BYTE_ORDER_MARK)) this.#cursor.column = 0;
    this.#isFirstPass = false;
    this.#cursor.rebase(0);
    CANDIDATE.lastIndex = this.#judged;
    this.#judged = limit;
    for (;;) {
      const candidate = CANDIDATE.exec(this.#text);
      if (candidate === null || candidate.index >= limit || this.matches.length === MATCHES_MAX) break;
      const match = this.#matchAt(candidate.index, candidate[0]);
      if (match === undefined) continue;
      this.matches.push(match);
      CANDIDATE.lastIndex = candidate.index + match.secret.length;
      this.#judged = Math.max(limit, CANDIDATE.lastIndex);
    }
  }

  #matchAt(index: number, prefix: string): Match | undefined {
    const mayStart = this.#mayStartAt(index);
    for (const rule of RULES_BY_PREFIX.get(prefix) ?? []) {
      if (!mayStart && rule.isProven !== true) continue;
      rule.pattern.lastIndex = index;
      const found = rule.pattern.exec(this.#text);
      if (found === null) continue;
      const secret = copy(found[0]);
      const body = found.groups?.['body'] ?? '';
      if (!rule.check(secret, body)) continue;
      this.#cursor.moveTo(this.#text, index);
      const { line, column } = this.#cursor;
      return {
        rule,
        secret,
        prefixLength: secret.length - body.length,
        line,
        column,
        endColumn: column + secret.length,
        isMarked: this.#isMarked(index, secret),
      };
    }
    return undefined;
  }

  #mayStartAt(index: number): boolean {
    START.lastIndex = index;
    return START.test(this.#text);
  }

  #isMarked(index: number, secret: string): boolean {
    const end = index + secret.length;
    const before = this.#text.slice(Math.max(0, index - MARK_DISTANCE_MAX), index);
    const after = this.#text.slice(end, end + MARK_DISTANCE_MAX);
    return (
      before.slice(before.lastIndexOf('\n') + 1).includes(MARK) ||
      (after.split('\n', 1)[0] ?? '').includes(MARK)
    );
  }
}

/** The engine keeps the whole of a text as long as there is a part of it. */
function copy(part: string): string {
  return Buffer.from(part, 'latin1').toString('latin1');
}
