/** Responsible for a whole answer to a client of OpenAI's chat completions. */
import type { AssistantPart, ChatAnswer, Choice, ToolCallPart } from '../chat.ts';
import type { AnswerContext } from '../dialect.ts';
import { joinSignature } from '../signatures.ts';
import { given } from './given.ts';
import { joinText } from './join-text.ts';
import { writeDetails } from './reasoning-details.ts';
import { writeLogprobs, writeStop, writeUsage } from './write-fields.ts';

export function writeAnswer(answer: ChatAnswer, context: AnswerContext): Buffer {
  const { usage } = answer;
  const body = {
    id: writeAnswerId(answer.id, context),
    object: 'chat.completion',
    created: context.createdAtS,
    model: answer.model || context.model,
    choices: answer.choices.map((choice, index) => writeChoice(choice, index)),
    ...given({ usage: usage === undefined ? undefined : writeUsage(usage) }),
  };
  return Buffer.from(JSON.stringify(body));
}

export function writeAnswerId(id: string, { requestId }: AnswerContext): string {
  return id || `chatcmpl-${requestId}`;
}

function writeChoice({ parts, stop, logprobs }: Choice, index: number): object {
  const refusal = joinText(parts, 'refusal');
  return {
    index,
    message: writeMessage(parts, refusal),
    logprobs: writeLogprobs(logprobs),
    finish_reason: writeStop(stop.reason, refusal !== undefined),
  };
}

/** A message has no order between its fields: reasoning, text and calls are each taken together. */
function writeMessage(parts: readonly AssistantPart[], refusal: string | undefined): object {
  const details = writeDetails(parts);
  const calls = parts.filter((part) => part.kind === 'tool_call').map((call) => writeCall(call));
  return {
    role: 'assistant',
    content: joinText(parts, 'text') ?? null,
    refusal: refusal ?? null,
    ...given({
      reasoning_content: joinText(parts, 'reasoning') || undefined,
      reasoning_details: details.length > 0 ? details : undefined,
      tool_calls: calls.length > 0 ? calls : undefined,
    }),
  };
}

function writeCall({ id, name, argumentsJson, signature }: ToolCallPart): object {
  return {
    id: joinSignature(id, signature),
    type: 'function',
    function: { name, arguments: argumentsJson },
  };
}
