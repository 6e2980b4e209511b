/** Responsible for the sandbox's notion of a token, four bytes of UTF-8, for the pieces of its streams, and for its hashes. */
import { hash } from 'node:crypto';

const BYTES_PER_TOKEN = 4;
const STREAMED_PIECE_CHARACTERS = 16;

export function countTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** The longest prefix of whole characters that has at most `tokensMax` tokens. */
export function truncateToTokens(text: string, tokensMax: number | undefined): string {
  if (tokensMax === undefined || countTokens(text) <= tokensMax) return text;
  const bytes = Buffer.from(text);
  let end = tokensMax * BYTES_PER_TOKEN;
  // A byte 10xxxxxx continues a character.
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** The text as a stream brings it, cut between characters and never inside one. */
export function piecesOf(text: string): string[] {
  const characters = Array.from(text);
  const pieces: string[] = [];
  for (let from = 0; from < characters.length; from += STREAMED_PIECE_CHARACTERS) {
    pieces.push(characters.slice(from, from + STREAMED_PIECE_CHARACTERS).join(''));
  }
  return pieces;
}

/** SHA-256 in lower-case hex. */
export function digestHex(data: Buffer | string): string {
  return hash('sha256', data);
}
