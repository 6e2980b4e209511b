/** Responsible for a whole answer as a client of Anthropic's Messages API expects it. */
import type { AssistantPart, ChatAnswer } from '../chat.ts';
import type { AnswerContext } from '../dialect.ts';
import { joinSignature } from '../signatures.ts';
import { redactedBlock, textBlock, thinkingBlock, toolUseBlock } from './blocks.ts';
import { writeStop } from './stop-reasons.ts';
import { parseArguments } from './tool-calls.ts';
import { writeUsage } from './write-usage.ts';

/** No client of this dialect can have asked for more than the first choice. */
export function writeAnswer({ id, model, choices, usage }: ChatAnswer, context: AnswerContext): Buffer {
  const [choice] = choices;
  const message = {
    ...writeEnvelope(id, model, context),
    content: choice?.parts.flatMap((part) => writePart(part) ?? []) ?? [],
    ...writeStop(choice?.stop),
    usage: writeUsage(usage),
  };
  return Buffer.from(JSON.stringify(message));
}

/** What a message has besides what was said. */
export function writeEnvelope(id: string, model: string, context: AnswerContext): object {
  return {
    id: id === '' ? context.requestId : id,
    type: 'message',
    role: 'assistant',
    model: model === '' ? context.model : model,
    container: null,
    diagnostics: null,
  };
}

/**
 * Empty text is left out, since a client could not give it back. Gemini's signature of a text is left out, too: it takes
 * its text back without ("Thought signatures", "non-functionCall parts", docs.cloud.google.com). Arguments that are cut
 * off, and so no JSON, are wrapped in the way that Anthropic describes ("Fine-grained tool streaming").
 */
function writePart(part: AssistantPart): object | undefined {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return part.text === '' ? undefined : textBlock(part.text);
    case 'reasoning':
      return part.isRedacted === true
        ? redactedBlock(part.signature)
        : thinkingBlock(part.text, part.signature);
    case 'tool_call':
      return toolUseBlock(
        joinSignature(part.id, part.signature),
        part.name,
        parseArguments(part.argumentsJson) ?? { INVALID_JSON: part.argumentsJson },
      );
  }
}
