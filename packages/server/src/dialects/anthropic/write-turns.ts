/**
 * Responsible for the `messages` of a request to Anthropic. Turns of one role that follow each other are joined, as
 * Anthropic itself does, so that all results of a call's turn are in the one message after it.
 */
import type { AssistantPart, ReasoningPart, ToolCallPart, ToolResultPart, Turn, UserPart } from '../chat.ts';
import type { Reading } from '../reading.ts';
import { parseArguments, writeToolId } from './tool-calls.ts';
import type { Target } from './generations.ts';
import { writeDocument, writeImage } from './write-source.ts';

interface Block {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface Message extends Pick<Turn, 'role' | 'at'> {
  readonly content: Block[];
}

export function writeTurns(turns: readonly Turn[], { reading, refusals }: Target): readonly object[] {
  const messages: Message[] = [];
  for (const turn of turns) {
    if (turn.role === 'system' && refusals.systemMessages) {
      reading.unsupported(turn.at, 'is an instruction in mid-conversation, which this model does not take');
    }
    for (const part of turn.parts) {
      const block = writePart(part, reading);
      if (block === undefined) continue;
      const { content } = messageFor(turn, messages);
      if (block.type === 'tool_result') refuseLate(part.at, content, reading);
      content.push(block);
    }
  }
  if (messages.length === 0) reading.unsupported(turns[0]?.at ?? 'messages', 'is empty');
  checkOrder(messages, reading);
  return messages.map(({ role, content }) => ({ role, content }));
}

function messageFor({ role, at }: Turn, messages: Message[]): Message {
  const last = messages.at(-1);
  if (last?.role === role) return last;
  const message = { role, at, content: [] };
  messages.push(message);
  return message;
}

/** The results of calls come before all else in the message after them ("Handle tool calls"). */
function refuseLate(at: string, before: readonly Block[], reading: Reading): void {
  const last = before.at(-1);
  if (last !== undefined && last.type !== 'tool_result') {
    reading.unsupported(at, 'is the result of a tool call after something else in its turn');
  }
}

/** An instruction follows the user's message, and ends the conversation or is followed by an answer. */
function checkOrder(messages: readonly Message[], reading: Reading): void {
  for (const [index, { role, at }] of messages.entries()) {
    const before = messages[index - 1]?.role;
    const after = messages[index + 1]?.role ?? 'assistant';
    if (role === 'system' && (before !== 'user' || after !== 'assistant')) {
      reading.unsupported(at, 'is an instruction where this model takes none');
    }
  }
  const last = messages.at(-1);
  if (last?.role === 'assistant') {
    const why = "is the last message and the model's own, which this provider would go on from";
    reading.unsupported(last.at, why);
  }
}

/** `undefined` for a part that says nothing here: text that is empty, and reasoning of another vendor. */
function writePart(part: UserPart | AssistantPart, reading: Reading): Block | undefined {
  switch (part.kind) {
    case 'text':
    // What a model of Anthropic's says in refusing is text.
    case 'refusal':
      return part.text === '' ? undefined : { type: 'text', text: part.text };
    case 'image':
      return writeImage(part, reading);
    case 'file':
      return writeDocument(part, reading);
    case 'audio':
      return reading.unsupported(part.at);
    case 'tool_result':
      return writeResult(part, reading);
    case 'tool_call':
      return writeCall(part, reading);
    case 'reasoning':
      return writeThinking(part);
  }
}

/** Another vendor's signature is left out: it is not Anthropic's to take back. */
function writeCall({ at, id, name, argumentsJson }: ToolCallPart, reading: Reading): Block {
  const input = parseArguments(argumentsJson);
  if (input === undefined) reading.invalid(at, 'has arguments that are no JSON object');
  return { type: 'tool_use', id: writeToolId(id), name, input };
}

function writeResult(part: ToolResultPart, reading: Reading): Block {
  const content = part.content.flatMap((inner) => writePart(inner, reading) ?? []);
  return {
    type: 'tool_result',
    tool_use_id: writeToolId(part.callId),
    content: content.length === 0 ? undefined : content,
    is_error: part.isError ? true : undefined,
  };
}

/**
 * Anthropic refuses a thinking block without its own signature, so reasoning of another vendor's model is left out, as
 * Anthropic itself ignores what another of its models thought.
 */
function writeThinking({ text, signature, isRedacted }: ReasoningPart): Block | undefined {
  if (signature?.by !== 'anthropic') return undefined;
  if (isRedacted === true) return { type: 'redacted_thinking', data: signature.value };
  return { type: 'thinking', thinking: text, signature: signature.value };
}
