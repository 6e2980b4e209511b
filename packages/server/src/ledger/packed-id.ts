/**
 * Ids as the ledger stores them: the 16 bytes that their text says after its prefix, so that they sort as their texts do and
 * take half the room. Here and towards the database they are 32 hexadecimal digits.
 */
import { ID_PREFIXES, type Id, type IdKind } from '@keyfold/protocol';
import { type Expression, type RawBuilder, sql } from 'kysely';
import { firstIdAt } from '../kernel/new-id.ts';
import type { Database } from '../storage/database.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
/** After the prefix 48 bits of time in ten characters, then 80 of chance in sixteen. */
const FORM = /^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/;
const PREFIX_CHARACTERS = 4;
/** Each group of characters, and the hexadecimal digits that say the same. */
const GROUPS = [
  { characters: 10, digits: 12 },
  { characters: 8, digits: 10 },
  { characters: 8, digits: 10 },
] as const;
/** Of each character's five bits. */
const COUNTERPART = 0b1_0110;
const FIRST_CHANCE = '0'.repeat(16);

/** The value of each character, by its code. */
const VALUES = new Uint8Array(128);
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

/** Filled anew for each id: every call packs two. */
const bytes = Buffer.alloc(16);

/** An id that this process or another one minted. Throws `TypeError` for any other text. */
export function packId(id: string): string {
  if (!FORM.test(id)) throw new TypeError(`${id} is not an id`);
  let place = PREFIX_CHARACTERS;
  const read = (characters: number) => {
    let value = 0;
    for (const end = place + characters; place < end; place++) {
      value = value * 32 + (VALUES[id.charCodeAt(place)] ?? 0);
    }
    return value;
  };
  bytes.writeUIntBE(read(10), 0, 6);
  bytes.writeUIntBE(read(8), 6, 5);
  bytes.writeUIntBE(read(8), 11, 5);
  return bytes.toString('hex');
}

/** What somebody asks for by an id; `undefined` where nothing can have it. */
export function findPacked(kind: IdKind, text: string): string | undefined {
  return text.startsWith(`${ID_PREFIXES[kind]}_`) && FORM.test(text) ? packId(text) : undefined;
}

export function unpackId<Kind extends IdKind>(kind: Kind, packed: string): Id<Kind> {
  let text = `${ID_PREFIXES[kind]}_`;
  let place = 0;
  for (const { characters, digits } of GROUPS) {
    let rest = Number.parseInt(packed.slice(place, place + digits), 16);
    place += digits;
    let part = '';
    for (let index = 0; index < characters; index++) {
      part = ALPHABET.charAt(rest % 32) + part;
      rest = Math.floor(rest / 32);
    }
    text += part;
  }
  return text as Id<Kind>;
}

/**
 * The id of the row that corrects a call: of the same time, so that it stands beside it, and found from it, so that there is
 * one at most. Of a correction's id it is the call's.
 */
export function counterpartOf(id: Id<'reservation'>): Id<'reservation'> {
  const beginning = PREFIX_CHARACTERS + GROUPS[0].characters;
  const chance = Array.from(id.slice(beginning), (character) =>
    ALPHABET.charAt((VALUES[character.charCodeAt(0)] ?? 0) ^ COUNTERPART),
  );
  return `${id.slice(0, beginning)}${chance.join('')}` as Id<'reservation'>;
}

/** No id that was minted for a time or a later one is smaller. */
export function firstPackedAt(ms: number): string {
  return packId(`${firstIdAt('reservation', ms)}${FIRST_CHANCE}`);
}

export interface PackedSql {
  /** What a column is compared with, or set to. */
  write(digits: string | Expression<string>): RawBuilder<string>;
  /** A column as lower-case digits. */
  read(column: string): RawBuilder<string>;
}

/** A blob on SQLite; on PostgreSQL a `uuid`, which is 16 bytes without a header. */
export function packedSql(dialect: Database['dialect']): PackedSql {
  return dialect === 'sqlite'
    ? {
        write: (digits) => sql`unhex(${digits})`,
        read: (column) => sql`lower(hex(${sql.ref(column)}))`,
      }
    : {
        write: (digits) => sql`cast(${digits} as uuid)`,
        read: (column) => sql`replace(cast(${sql.ref(column)} as text), '-', '')`,
      };
}
