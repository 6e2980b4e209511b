/**
 * Writes an answer as a `GenerateContentResponse` (ai.google.dev/api/generate-content). A refusal is text here: Gemini has
 * no field for one.
 */
import type { AssistantPart, ChatAnswer, Choice, JsonObject, JsonValue } from '../chat.ts';
import type { AnswerContext } from '../dialect.ts';
import { MALFORMED_CALL, writeFinishReason } from './finish-reasons.ts';
import { parseArguments } from './function-json.ts';
import { writeLogprobs } from './logprobs.ts';
import { writeThoughtSignature } from './thought-signatures.ts';
import { writeUsage } from './usage-metadata.ts';
import { signatureOf, writeCall, writeText, writeThought } from './write-parts.ts';

export function writeAnswer(answer: ChatAnswer, context: AnswerContext): Buffer {
  const { usage } = answer;
  const body = {
    candidates: answer.choices.map(writeCandidate),
    ...(usage === undefined ? {} : { usageMetadata: writeUsage(usage) }),
    modelVersion: answer.model === '' ? context.model : answer.model,
    responseId: answer.id === '' ? context.requestId : answer.id,
  };
  return Buffer.from(JSON.stringify(body));
}

/** `undefined` for a call whose arguments are no object: there is no way to say it. */
export function writePart(part: AssistantPart): JsonObject | undefined {
  const signature = signatureOf(part);
  const isRedacted = part.kind === 'reasoning' && part.isRedacted === true;
  const written = signature === undefined ? undefined : writeThoughtSignature(signature, isRedacted);
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return writeText(part.text, written);
    case 'reasoning':
      return writeThought(part.text, written);
    case 'tool_call': {
      const args = parseArguments(part.argumentsJson);
      const { id, name } = part;
      return args === undefined ? undefined : writeCall({ id, name, args, thoughtSignature: written });
    }
  }
}

function writeCandidate({ parts, stop, logprobs }: Choice, index: number): JsonObject {
  const written = parts.map(writePart);
  const isMalformed = written.includes(undefined);
  const content: Record<string, JsonValue> = { role: 'model' };
  if (written.length > 0) content['parts'] = written.filter((part) => part !== undefined);
  return {
    content,
    finishReason: isMalformed ? MALFORMED_CALL : writeFinishReason(stop.reason),
    index,
    ...(logprobs === undefined ? {} : { logprobsResult: writeLogprobs(logprobs) }),
  };
}
