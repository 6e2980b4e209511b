/**
 * Responsible for the field in which a client of chat completions is given vendors' signatures, and gives them back:
 * `reasoning_details` of an assistant's message. OpenAI has no such field; several compatible servers use that name.
 */
import type { AssistantPart, ReasoningPart, Signature } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { readSignature, writeSignature } from '../signatures.ts';

/** `text` signs the message's own text, `redacted` is reasoning of which the signature is the whole. */
export type ReasoningDetail =
  | { readonly type: 'reasoning'; readonly text: string; readonly signature: string }
  | { readonly type: 'redacted'; readonly signature: string }
  | { readonly type: 'text'; readonly signature: string };

/** What has a signature. Reasoning without one is in `reasoning_content` alone, and no vendor asks for it back. */
export function writeDetails(parts: readonly AssistantPart[]): readonly ReasoningDetail[] {
  return parts.flatMap((part): ReasoningDetail[] => {
    if ((part.kind !== 'reasoning' && part.kind !== 'text') || part.signature === undefined) return [];
    const signature = writeSignature(part.signature, 'openai');
    if (part.kind === 'text') return [{ type: 'text', signature }];
    if (part.isRedacted === true) return [{ type: 'redacted', signature }];
    return [{ type: 'reasoning', text: part.text, signature }];
  });
}

export interface ReadDetails {
  readonly reasoning: readonly ReasoningPart[];
  readonly textSignature: Signature | undefined;
}

/** The reasoning of an assistant's message that a client gives back. */
export function readDetails(message: ObjectReader): ReadDetails {
  const reasoning: ReasoningPart[] = [];
  let textSignature: Signature | undefined;
  for (const detail of message.objects('reasoning_details')) {
    const type = detail.requiredText('type');
    const signature = readSignature(detail.requiredText('signature'), 'openai');
    const at = detail.path;
    if (type === 'reasoning') {
      reasoning.push({ kind: 'reasoning', at, text: detail.requiredText('text'), signature });
    } else if (type === 'redacted') {
      reasoning.push({ kind: 'reasoning', at, text: '', signature, isRedacted: true });
    } else if (type === 'text') {
      textSignature = signature;
    } else {
      detail.invalid('type', 'must be one of reasoning, redacted, text');
    }
    detail.done();
  }
  const text = message.text('reasoning_content');
  // The signed pieces are the same reasoning in more detail.
  if (reasoning.length === 0 && text !== undefined && text !== '') {
    reasoning.push({ kind: 'reasoning', at: message.pathOf('reasoning_content'), text });
  }
  return { reasoning, textSignature };
}
