/**
 * Responsible for checking JSON text (RFC 8259) in one pass over its bytes, without building values. Stricter than the
 * RFC where parsers disagree: no duplicate keys, no keys that reach a prototype, no lone surrogates, bounded depth.
 */
import { type KeyClaim, ObjectKeys } from './json-keys.ts';
import {
  type JsonField,
  type JsonKind,
  type JsonRefusalReason,
  type JsonSpan,
  KEY_CHARACTERS_MAX,
  REFUSED,
} from './json-refusal.ts';
import { JsonTokens } from './json-tokens.ts';

/** How deep objects and arrays may nest; the outermost is 1. */
export const JSON_DEPTH_MAX = 64;

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

// One set of keys for each depth, reused: scanning is synchronous, and objects of one depth never overlap.
const OPEN_KEYS = Array.from({ length: JSON_DEPTH_MAX + 1 }, () => new ObjectKeys());

/**
 * Walks objects and arrays, on top of the tokens in them and by the same rules.
 */
export class JsonWalker extends JsonTokens {
  /** `at` is the opening brace. Fills `fields`, where given, with the object's own fields in their order. */
  skipObject(at: number, depth: number, fields?: JsonField[]): number {
    if (depth > JSON_DEPTH_MAX) return this.refuse('too_deep', at);
    const keys = OPEN_KEYS[depth] as ObjectKeys;
    const end = this.#skipFields(at, { depth, keys, fields });
    keys.clear();
    return end;
  }

  #skipFields(at: number, object: OpenObject): number {
    let next = this.skipSpace(at + 1);
    if (this.byteIs(next, CLOSE_BRACE)) return next + 1;
    for (;;) {
      if (!this.byteIs(next, QUOTE)) return this.refuse('malformed', next);
      const keyStart = next + 1;
      this.hasEscape = false;
      next = this.skipString(keyStart);
      if (next === REFUSED) return REFUSED;
      const keyEnd = next - 1;
      const name = this.hasEscape ? this.#unescape(keyStart, keyEnd) : undefined;
      if (!this.#claimKey({ keyStart, keyEnd, name }, object.keys)) return REFUSED;

      next = this.skipSpace(next);
      if (!this.byteIs(next, COLON)) return this.refuse('malformed', next);
      const start = this.skipSpace(next + 1);
      next = this.#skipValue(start, object.depth);
      if (next === REFUSED) return REFUSED;
      object.fields?.push({ keyStart, keyEnd, name, span: { start, end: next, kind: this.#kindAt(start) } });

      next = this.skipSpace(next);
      if (this.byteIs(next, CLOSE_BRACE)) return next + 1;
      if (!this.byteIs(next, COMMA)) return this.refuse('malformed', next);
      next = this.skipSpace(next + 1);
    }
  }

  /** `at` is the opening bracket. Fills `items`, where given, with the array's own values in their order. */
  skipArray(at: number, depth: number, items?: JsonSpan[]): number {
    if (depth > JSON_DEPTH_MAX) return this.refuse('too_deep', at);
    let next = this.skipSpace(at + 1);
    if (this.byteIs(next, CLOSE_BRACKET)) return next + 1;
    for (;;) {
      const start = next;
      next = this.#skipValue(start, depth);
      if (next === REFUSED) return REFUSED;
      items?.push({ start, end: next, kind: this.#kindAt(start) });
      next = this.skipSpace(next);
      if (this.byteIs(next, CLOSE_BRACKET)) return next + 1;
      if (!this.byteIs(next, COMMA)) return this.refuse('malformed', next);
      next = this.skipSpace(next + 1);
    }
  }

  #skipValue(at: number, depth: number): number {
    if (at >= this.body.length) return this.refuse('malformed', at);
    switch (this.body[at] as number) {
      case QUOTE:
        return this.skipString(at + 1);
      case OPEN_BRACE:
        return this.skipObject(at, depth + 1);
      case OPEN_BRACKET:
        return this.skipArray(at, depth + 1);
      case 0x74:
        return this.skipLiteral(at, 'true');
      case 0x66:
        return this.skipLiteral(at, 'false');
      case 0x6e:
        return this.skipLiteral(at, 'null');
      default:
        return this.skipNumber(at);
    }
  }

  #claimKey(key: { keyStart: number; keyEnd: number; name: string | undefined }, keys: ObjectKeys): boolean {
    const { keyStart, keyEnd, name } = key;
    const claim =
      name === undefined ? keys.claim(this.body, keyStart, keyEnd) : keys.claimName(this.body, name);
    if (claim === 'new') return true;
    this.refuse(
      CLAIM_REFUSALS[claim],
      keyStart - 1,
      name ?? this.body.toString('utf8', keyStart, Math.min(keyEnd, keyStart + KEY_CHARACTERS_MAX)),
    );
    return false;
  }

  #unescape(start: number, end: number): string {
    return JSON.parse(this.body.toString('utf8', start - 1, end + 1)) as string;
  }

  #kindAt(at: number): JsonKind {
    switch (this.body[at] as number) {
      case QUOTE:
        return 'string';
      case OPEN_BRACE:
        return 'object';
      case OPEN_BRACKET:
        return 'array';
      case 0x74:
        return 'true';
      case 0x66:
        return 'false';
      case 0x6e:
        return 'null';
      default:
        return 'number';
    }
  }
}

const CLAIM_REFUSALS: Readonly<Record<Exclude<KeyClaim, 'new'>, JsonRefusalReason>> = {
  taken: 'duplicate_key',
  forbidden: 'forbidden_key',
  too_many: 'too_many_keys',
};

interface OpenObject {
  readonly depth: number;
  readonly keys: ObjectKeys;
  readonly fields: JsonField[] | undefined;
}
