/**
 * Responsible for `thoughtSignature`. Google's clients handle it as bytes, so whatever stands there must be base64: another
 * vendor's signature is marked and encoded whole.
 */
import type { Signature } from '../chat.ts';
import { readSignature, writeSignature } from '../signatures.ts';

export interface SignedThought {
  readonly signature: Signature;
  /** The signature is the whole of a reasoning that its vendor has encrypted. */
  readonly isRedacted: boolean;
}

/**
 * What Google says to send in place of the signature that a Gemini 3 model wants with a call, where the call was made by
 * another model (ai.google.dev/gemini-api/docs/thought-signatures, "FAQs").
 */
export const PLACEHOLDER = 'skip_thought_signature_validator';

/** `undefined` for a placeholder, which is nobody's signature. */
export function readThoughtSignature(written: string): SignedThought | undefined {
  if (PLACEHOLDERS.has(written)) return undefined;
  const decoded = Buffer.from(written, 'base64').toString();
  const isRedacted = decoded.startsWith(REDACTED_MARK);
  const signature = readSignature(isRedacted ? decoded.slice(REDACTED_MARK.length) : decoded, 'gemini');
  if (signature.by === 'gemini') return { signature: { by: 'gemini', value: written }, isRedacted: false };
  return { signature, isRedacted };
}

export function writeThoughtSignature(signature: Signature, isRedacted = false): string {
  if (signature.by === 'gemini') return signature.value;
  const marked = (isRedacted ? REDACTED_MARK : '') + writeSignature(signature, 'gemini');
  return Buffer.from(marked).toString('base64');
}

const PLACEHOLDERS: ReadonlySet<string> = new Set([PLACEHOLDER, 'context_engineering_is_the_way_to_go']);
const REDACTED_MARK = 'redacted:';
