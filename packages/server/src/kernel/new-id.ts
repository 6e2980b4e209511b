/** Mints ids that sort by time: 48 bits of milliseconds, then 80 random bits, in lower-case base 32. */
import { ID_PREFIXES, type Id, type IdKind } from '@keyfold/protocol';
import type { Clock } from './clock.ts';
import type { RandomSource } from './random.ts';

// Crockford's alphabet, lower case: its order is the order of ASCII, so that ids sort as their numbers do.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARACTERS = 10;
const RANDOM_BYTES = 10;

export type NewId = <Kind extends IdKind>(kind: Kind) => Id<Kind>;

export function createNewId(clock: Clock, random: RandomSource): NewId {
  let lastMs = -1;
  let lastPrefix = '';
  return (kind) => {
    const nowMs = clock.nowMs();
    if (nowMs !== lastMs) {
      lastMs = nowMs;
      lastPrefix = encodeTime(nowMs);
    }
    return `${ID_PREFIXES[kind]}_${lastPrefix}${encodeRandom(random.bytes(RANDOM_BYTES))}` as Id<typeof kind>;
  };
}

/** No id of the kind that was minted at or after a time sorts before this. */
export function firstIdAt(kind: IdKind, ms: number): string {
  return `${ID_PREFIXES[kind]}_${encodeTime(Math.max(0, ms - MINTED_EARLY_MS))}`;
}

/** An id may carry a time slightly before the one that its row says. */
const MINTED_EARLY_MS = 1_000;

function encodeTime(ms: number): string {
  let text = '';
  for (let rest = ms, place = 0; place < TIME_CHARACTERS; place++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** Ten bytes are sixteen characters of five bits. */
function encodeRandom(bytes: Buffer): string {
  let text = '';
  for (let offset = 0; offset < RANDOM_BYTES; offset += 5) {
    let block = bytes.readUIntBE(offset, 5);
    let part = '';
    for (let place = 0; place < 8; place++) {
      part = ALPHABET.charAt(block % 32) + part;
      block = Math.floor(block / 32);
    }
    text += part;
  }
  return text;
}
