/** Responsible for the parts that a model writes, as Gemini's `Part`: those of a history and those of an answer. */
import type { AssistantPart, JsonObject, JsonValue, Signature } from '../chat.ts';

/** What stands as `thoughtSignature`; `undefined` leaves it out. */
export type WrittenSignature = string | undefined;

export function writeText(text: string, thoughtSignature: WrittenSignature): JsonObject {
  return { text, ...(thoughtSignature === undefined ? {} : { thoughtSignature }) };
}

export function writeThought(text: string, thoughtSignature: WrittenSignature): JsonObject {
  return { ...writeText(text, thoughtSignature), thought: true };
}

export interface WrittenCall {
  readonly id: string;
  readonly name: string;
  readonly args: JsonObject;
  readonly thoughtSignature: WrittenSignature;
}

export function writeCall({ id, name, args, thoughtSignature }: WrittenCall): JsonObject {
  const functionCall: JsonValue = { id, name, args };
  return { functionCall, ...(thoughtSignature === undefined ? {} : { thoughtSignature }) };
}

export function signatureOf(part: AssistantPart): Signature | undefined {
  return part.kind === 'refusal' ? undefined : part.signature;
}
