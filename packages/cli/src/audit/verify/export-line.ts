/**
 * One line of an export: `{"head":"<43 characters>","record":<the record>}`. The record stands in it byte for byte as it was
 * hashed, from the 64th byte to the last but one (docs/audit-verification.md).
 */
import { hash } from 'node:crypto';

export interface ExportLine {
  readonly node: number;
  readonly sequence: number;
  /** The head after it as the database has it, base64url: finds the first bad record, and proves nothing. */
  readonly head: string;
}

/** The head before the first record. */
export const FIRST_HEAD = Buffer.alloc(32).toString('base64url');

const OPENING = '{"head":"';
const MIDDLE = '","record":';
const HEAD_CHARACTERS = 43;
const MIDDLE_AT = OPENING.length + HEAD_CHARACTERS;
const RECORD_AT = MIDDLE_AT + MIDDLE.length;
/** Within it a record has said its sequence and its node. */
const PLACE_BYTES = 64;
/** A record is an object, or an array in its short form; sequence and node come first. */
const PLACE = /^(?:\{"sequence":([1-9]\d{0,14}),"node":([1-9]\d{0,4}),|\[([1-9]\d{0,14}),([1-9]\d{0,4}),)/;
const CLOSING = 0x7d;
const HASH_BYTES = 32;

/** `undefined` for what is no line of an export. That the rest of the record is JSON its hash says. */
export function readExportLine(line: Buffer): ExportLine | undefined {
  if (line[line.length - 1] !== CLOSING || line.toString('latin1', 0, OPENING.length) !== OPENING)
    return undefined;
  if (line.toString('latin1', MIDDLE_AT, RECORD_AT) !== MIDDLE) return undefined;
  const place = PLACE.exec(line.toString('latin1', RECORD_AT, RECORD_AT + PLACE_BYTES));
  if (place === null) return undefined;
  const sequence = Number(place[1] ?? place[3]);
  return {
    node: Number(place[2] ?? place[4]),
    sequence,
    head: line.toString('latin1', OPENING.length, MIDDLE_AT),
  };
}

/** `0x02 ‖ head ‖ leaf`, filled anew for each record. */
const pair = Buffer.alloc(1 + 2 * HASH_BYTES, 0x02);

/** `SHA-256(0x02 ‖ head ‖ SHA-256(0x00 ‖ record))`, base64url. */
export function nextHead(head: string, line: Buffer): string {
  // The byte before the record is lent to be the leaf's zero: no record is copied.
  const lent = line[RECORD_AT - 1] ?? 0;
  line[RECORD_AT - 1] = 0;
  const leaf = hash('sha256', line.subarray(RECORD_AT - 1, line.length - 1), 'hex');
  line[RECORD_AT - 1] = lent;
  pair.write(head, 1, HASH_BYTES, 'base64url');
  pair.write(leaf, 1 + HASH_BYTES, HASH_BYTES, 'hex');
  return hash('sha256', pair, 'base64url');
}
