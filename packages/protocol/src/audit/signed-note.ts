/**
 * Signed notes (C2SP signed-note v1.0.0): a text that ends in a newline, a blank line, and a line for each signature. The text
 * and its bytes alone: hashing and signing are the caller's, with Ed25519, the one kind of key that is read here.
 */
import { decodeBase64, encodeBase64 } from '../signing/base64.ts';

export interface NoteSignature {
  /** Of the key. */
  readonly name: string;
  /** Four bytes, by which a verifier finds its key. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

export interface SignedNote {
  /** What is signed, with its last newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface VerifierKey {
  readonly name: string;
  readonly keyId: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

/** Bytes of a note; a longer one is none. */
export const NOTE_CHARACTERS_MAX = 65_536;
const SIGNATURES_MAX = 16;
const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Not empty, without space and without plus. */
const NAME = /^[^\s+\p{Cc}]{1,256}$/u;
const SIGNATURE_LINE = /^— (\S+) (\S+)$/;
/** A control character other than newline has no place in a note. */
// oxlint-disable-next-line no-control-regex -- that is what is refused
const FORBIDDEN = /[\0-\t\v-\x1f]/;

export function isNoteKeyName(name: string): boolean {
  return NAME.test(name);
}

/** What a key's id is the first four bytes of the SHA-256 of. */
export function noteKeyIdInput(name: string, publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...new TextEncoder().encode(`${name}\n`), ED25519, ...publicKey]);
}

export function renderNote({ text, signatures }: SignedNote): string {
  const lines = signatures.map(
    ({ name, keyId, signature }) => `— ${name} ${encodeBase64(Uint8Array.from([...keyId, ...signature]))}\n`,
  );
  return `${text}\n${lines.join('')}`;
}

/** `undefined` for what is no note. Whether a signature holds is the caller's to see; one of a key it does not know says nothing. */
export function parseNote(note: string): SignedNote | undefined {
  if (note.length > NOTE_CHARACTERS_MAX || FORBIDDEN.test(note) || !note.isWellFormed()) return undefined;
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) return undefined;
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const [, name = '', encoded = ''] = SIGNATURE_LINE.exec(line) ?? [];
    const bytes = decodeBase64(encoded);
    if (!isNoteKeyName(name) || bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined;
    signatures.push({ name, keyId: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) });
  }
  return { text: note.slice(0, end + 1), signatures };
}

/** The signatures that this key may have made: an Ed25519 signature under its name and id. */
export function signaturesBy(note: SignedNote, key: VerifierKey): readonly Uint8Array[] {
  return note.signatures
    .filter(
      ({ name, keyId, signature }) =>
        name === key.name &&
        signature.length === SIGNATURE_BYTES &&
        keyId.every((byte, place) => byte === key.keyId[place]),
    )
    .map(({ signature }) => signature);
}

/** `<name>+<id in hexadecimal>+<base64 of the kind and the key>`. */
export function renderVerifierKey({ name, keyId, publicKey }: VerifierKey): string {
  const id = Array.from(keyId, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${name}+${id}+${encodeBase64(Uint8Array.from([ED25519, ...publicKey]))}`;
}

/** `undefined` for anything but an Ed25519 verifier key. That its id is that of its key is the caller's to see. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const bytes = decodeBase64(encoded);
  if (!isNoteKeyName(name) || bytes?.length !== 1 + PUBLIC_KEY_BYTES || bytes[0] !== ED25519)
    return undefined;
  const keyId = Uint8Array.from(id.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return { name, keyId, publicKey: bytes.slice(1) };
}
