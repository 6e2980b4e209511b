/**
 * The part of Structured Field Values (RFC 8941) that signatures use: dictionaries of inner lists, and dictionaries of
 * byte sequences. Stricter than the RFC's parser in two ways. A name that is repeated is refused, where the last one
 * would win. A member has to be spelled as section 4.1 serializes it, so that the text as received is the text that was
 * signed, and nobody has to agree on how to spell it again.
 */
import { decodeBase64, encodeBase64 } from './base64.ts';

const CHARACTERS_MAX = 4096;
const MEMBERS_MAX = 8;
const ITEMS_MAX = 32;

export interface Token {
  readonly token: string;
}
/** A string is an RFC 8941 String; a number is an Integer. Decimals are not used by signatures and are refused. */
export type BareItem = string | number | boolean | Uint8Array | Token;
export type ItemParameters = ReadonlyMap<string, BareItem>;

export interface Item {
  readonly value: BareItem;
  readonly parameters: ItemParameters;
}

export interface InnerList {
  readonly items: readonly Item[];
  readonly parameters: ItemParameters;
  /** The list with its parameters, byte for byte as received. */
  readonly raw: string;
}

/** Example: `sig1=("@method" "date");created=1618884473, sig2=()`. `undefined` when malformed or over a limit. */
export function parseInnerLists(text: string): ReadonlyMap<string, InnerList> | undefined {
  return parseDictionary(text, readInnerList);
}

/** Example: `sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:`. `undefined` when malformed or over a limit. */
export function parseByteSequences(text: string): ReadonlyMap<string, Uint8Array> | undefined {
  return parseDictionary(text, readBytes);
}

/** Throws for what RFC 8941 cannot carry: a string beyond printable ASCII, a number that is no 15-digit integer. */
export function renderBareItem(value: BareItem): string {
  if (typeof value === 'string') return renderString(value);
  if (typeof value === 'number') return renderInteger(value);
  if (typeof value === 'boolean') return value ? '?1' : '?0';
  return value instanceof Uint8Array ? `:${encodeBase64(value)}:` : value.token;
}

export function renderParameters(parameters: ItemParameters): string {
  return [...parameters]
    .map(([key, value]) => (value === true ? `;${key}` : `;${key}=${renderBareItem(value)}`))
    .join('');
}

const KEY = /[a-z*][a-z0-9_.*-]*/y;
const STRING = /"(?:[ !#-[\]-~]|\\["\\])*"/y;
const INTEGER = /(?:0|-?[1-9][0-9]{0,14})/y;
const TOKEN = /[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*/y;
const BYTES = /:[A-Za-z0-9+/=]*:/y;
const BOOLEAN = /\?[01]/y;
const EQUALS = /=/y;
const SEMICOLON = /;/y;
const COMMA = /[ \t]*,[ \t]*/y;
const OPENING = /\(/y;
const CLOSING = /\)/y;
const SPACE = / /y;
const SPACES = / */y;
const END = / *$/y;

/** A place in a text, moved on by taking what matches there. */
class Cursor {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Takes what the (sticky) pattern matches at this place, else nothing. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text)?.[0];
    if (match !== undefined) this.position += match.length;
    return match;
  }

  skips(pattern: RegExp): boolean {
    return this.take(pattern) !== undefined;
  }
}

function parseDictionary<Member>(
  text: string,
  readMember: (cursor: Cursor) => Member | undefined,
): ReadonlyMap<string, Member> | undefined {
  if (text.length > CHARACTERS_MAX) return undefined;
  const cursor = new Cursor(text);
  const members = new Map<string, Member>();
  cursor.skips(SPACES);
  while (members.size < MEMBERS_MAX) {
    const key = cursor.take(KEY);
    if (key === undefined || members.has(key) || !cursor.skips(EQUALS)) return undefined;
    const member = readMember(cursor);
    if (member === undefined) return undefined;
    members.set(key, member);
    if (cursor.skips(END)) return members;
    if (!cursor.skips(COMMA)) return undefined;
  }
  return undefined;
}

function readInnerList(cursor: Cursor): InnerList | undefined {
  const start = cursor.position;
  if (!cursor.skips(OPENING)) return undefined;
  const items: Item[] = [];
  while (!cursor.skips(CLOSING)) {
    if (items.length === ITEMS_MAX || (items.length > 0 && !cursor.skips(SPACE))) return undefined;
    const value = readBareItem(cursor);
    const parameters = readParameters(cursor);
    if (value === undefined || parameters === undefined) return undefined;
    items.push({ value, parameters });
  }
  const parameters = readParameters(cursor);
  return parameters && { items, parameters, raw: cursor.text.slice(start, cursor.position) };
}

function readParameters(cursor: Cursor): ItemParameters | undefined {
  const parameters = new Map<string, BareItem>();
  while (cursor.skips(SEMICOLON)) {
    const key = cursor.take(KEY);
    if (key === undefined || parameters.has(key)) return undefined;
    const isBare = !cursor.skips(EQUALS);
    const value = isBare || readBareItem(cursor);
    // True is spelled by the bare name.
    if (value === undefined || (value === true && !isBare)) return undefined;
    parameters.set(key, value);
  }
  return parameters;
}

function readBareItem(cursor: Cursor): BareItem | undefined {
  const string = cursor.take(STRING);
  if (string !== undefined) return string.slice(1, -1).replace(/\\(["\\])/g, '$1');
  const integer = cursor.take(INTEGER);
  if (integer !== undefined) return Number(integer);
  const boolean = cursor.take(BOOLEAN);
  if (boolean !== undefined) return boolean === '?1';
  const token = cursor.take(TOKEN);
  if (token !== undefined) return { token };
  return readBytes(cursor);
}

function readBytes(cursor: Cursor): Uint8Array | undefined {
  const text = cursor.take(BYTES);
  return text === undefined ? undefined : decodeBase64(text.slice(1, -1));
}

function renderString(text: string): string {
  if (!/^[ -~]*$/.test(text)) throw new RangeError('a structured string is made of printable ASCII');
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function renderInteger(integer: number): string {
  if (!Number.isInteger(integer) || Math.abs(integer) > 999_999_999_999_999) {
    throw new RangeError('a structured integer has at most 15 digits');
  }
  return String(integer);
}
