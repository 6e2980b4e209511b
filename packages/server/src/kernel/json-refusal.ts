/** Responsible for the words of JSON scanning: why a text is refused, and where a value lies. */

export type JsonRefusalReason =
  | 'invalid_utf8'
  | 'not_an_object'
  | 'malformed'
  | 'control_character'
  | 'lone_surrogate'
  | 'too_deep'
  | 'too_many_keys'
  | 'duplicate_key'
  | 'forbidden_key'
  | 'trailing_data';

/** Why a text was refused. `offset` counts bytes; `key` is the key at fault, shortened. */
export class JsonRefusal {
  readonly reason: JsonRefusalReason;
  readonly offset: number;
  readonly key: string | undefined;

  constructor(reason: JsonRefusalReason, offset: number, key?: string) {
    this.reason = reason;
    this.offset = offset;
    this.key = key;
  }
}

export type JsonKind = 'string' | 'number' | 'object' | 'array' | 'true' | 'false' | 'null';

/** Where a value lies: its first byte, and the byte after its last. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
  readonly kind: JsonKind;
}

/** A key with its value. The key's offsets exclude the quotes; `name` is set where the key is written with escapes. */
export interface JsonField {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly name: string | undefined;
  readonly span: JsonSpan;
}

/** What every step returns instead of an offset once the text is refused. */
export const REFUSED = -1;

/** How much of a key a refusal shows. */
export const KEY_CHARACTERS_MAX = 64;
