/** Responsible for the content blocks of an answer as Anthropic writes them. */
import type { Signature } from '../chat.ts';
import { writeSignature } from '../signatures.ts';

export function textBlock(text: string): object {
  return { type: 'text', text, citations: null };
}

/** Reasoning of a vendor that does not sign has an empty signature. */
export function thinkingBlock(thinking: string, signature: Signature | undefined): object {
  return { type: 'thinking', thinking, signature: signature === undefined ? '' : writeOwn(signature) };
}

export function redactedBlock(signature: Signature | undefined): object {
  return { type: 'redacted_thinking', data: signature === undefined ? '' : writeOwn(signature) };
}

/** `id` has the call's signature in it. */
export function toolUseBlock(id: string, name: string, input: object): object {
  return { type: 'tool_use', id, name, input, caller: { type: 'direct' } };
}

/** A signature in a field of Anthropic's own. */
export function writeOwn(signature: Signature): string {
  return writeSignature(signature, 'anthropic');
}
