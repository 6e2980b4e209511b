/** Responsible for reading the `messages` of a request to Anthropic, and that their order is one that others can follow. */
import type { TextPart, Turn } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { readAssistantPart, readTextBlock, readUserPart } from './read-blocks.ts';

export function readTurns(body: ObjectReader): readonly Turn[] {
  const messages = body.objects('messages');
  if (messages.length === 0) body.invalid('messages', 'must have at least one message');
  const callIds = new Set<string>();
  const turns: Turn[] = [];
  for (const message of messages) {
    const turn = readTurn(message, callIds);
    if (turn !== undefined) turns.push(turn);
    message.done();
  }
  checkOrder(turns, messages);
  return turns;
}

function readTurn(message: ObjectReader, callIds: Set<string>): Turn | undefined {
  const at = message.path;
  switch (message.requiredText('role')) {
    case 'user':
      return { role: 'user', at, parts: readParts(message, (block) => readUserPart(block, callIds)) };
    case 'assistant': {
      const parts = readParts(message, readAssistantPart);
      for (const part of parts) if (part.kind === 'tool_call') callIds.add(part.id);
      return { role: 'assistant', at, parts };
    }
    case 'system':
      return { role: 'system', at, parts: readParts(message, readInstruction) };
    default:
      return message.invalid('role', 'must be one of user, assistant, system');
  }
}

/** Text alone, or a list of blocks. */
function readParts<Part>(
  message: ObjectReader,
  readPart: (block: ObjectReader) => Part | undefined,
): readonly (Part | TextPart)[] {
  const content = message.value('content');
  if (typeof content === 'string' && content !== '') {
    return [{ kind: 'text', at: message.pathOf('content'), text: content }];
  }
  if (!Array.isArray(content) || content.length === 0) {
    message.invalid('content', 'must be text that is not empty, or a list of content blocks');
    return [];
  }
  return message.objects('content').flatMap((block) => readPart(block) ?? []);
}

function readInstruction(block: ObjectReader): TextPart {
  if (block.value('type') !== 'text') block.invalid('type', 'must be text in a system message');
  return readTextBlock(block);
}

function checkOrder(turns: readonly Turn[], messages: readonly ObjectReader[]): void {
  if (turns[0]?.role === 'system') {
    messages[0]?.invalid('role', "cannot be system in the first message: use the field 'system'");
  }
  // Others would answer it instead of going on with it.
  if (turns.at(-1)?.role === 'assistant') {
    messages
      .at(-1)
      ?.unsupported(
        'role',
        'makes the last message the beginning of the answer, which only Anthropic goes on from',
      );
  }
}
