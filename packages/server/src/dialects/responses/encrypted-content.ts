/**
 * Responsible for `encrypted_content` of a reasoning item, the field that a stateless client of the Responses API gives
 * back as it is: it carries any vendor's signature, and what it is the signature of.
 */
import type { Signature } from '../chat.ts';
import { readSignature, writeSignature } from '../signatures.ts';

/** `reasoning`: of the item's own summary. `redacted`: it is the whole. `text`: of the text before the item. */
export type Signed = 'reasoning' | 'redacted' | 'text';

export function writeEncrypted(signed: Signed, signature: Signature): string {
  const value = writeSignature(signature, 'openai');
  return signed === 'reasoning' ? value : `${MARKS[signed]}${value}`;
}

export function readEncrypted(written: string): { readonly signed: Signed; readonly signature: Signature } {
  const signed = (['redacted', 'text'] as const).find((kind) => written.startsWith(MARKS[kind]));
  if (signed === undefined) return { signed: 'reasoning', signature: readSignature(written, 'openai') };
  return { signed, signature: readSignature(written.slice(MARKS[signed].length), 'openai') };
}

/** No base64, so no vendor's own. */
const MARKS = { redacted: 'redacted.', text: 'text.' } as const;
