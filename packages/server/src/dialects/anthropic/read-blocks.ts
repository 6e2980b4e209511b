/** Responsible for reading the content blocks of a request to Anthropic. */
import type {
  AssistantPart,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
  UserPart,
} from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { readSignature, splitSignature } from '../signatures.ts';
import { withoutUnset } from './fields.ts';
import { readDocument, readImage } from './read-source.ts';

/** `callIds`: the tools that were called so far. */
export function readUserPart(block: ObjectReader, callIds: ReadonlySet<string>): UserPart | undefined {
  switch (block.requiredText('type')) {
    case 'text':
      return readTextBlock(block);
    case 'image':
      return readImage(block);
    case 'document':
      return readDocument(block);
    case 'tool_result':
      return readToolResult(block, callIds);
    default:
      return refuseType(block);
  }
}

export function readAssistantPart(block: ObjectReader): AssistantPart | undefined {
  switch (block.requiredText('type')) {
    case 'text':
      return readTextBlock(block);
    case 'thinking':
      return readThinking(block);
    case 'redacted_thinking':
      return readRedactedThinking(block);
    case 'tool_use':
      return readToolUse(block);
    default:
      return refuseType(block);
  }
}

/** A block whose type was seen to be text. Citations refer to documents in a way that is Anthropic's own. */
export function readTextBlock(block: ObjectReader): TextPart {
  block.pass('type', 'cache_control');
  const text = block.requiredText('text');
  if (text === '') block.invalid('text', 'must not be empty');
  if (block.list('citations').length > 0) block.unsupported('citations');
  block.done();
  return { kind: 'text', at: block.path, text };
}

function readToolUse(block: ObjectReader): ToolCallPart {
  block.pass('cache_control');
  const { id, signature } = splitSignature(block.requiredText('id'));
  if (id === '') block.invalid('id', 'must not be empty');
  const name = block.requiredText('name');
  const input = block.json('input') ?? block.invalid('input', 'must be an object');
  const argumentsJson = JSON.stringify(input ?? {});
  const caller = block.object('caller');
  caller?.expect('type', 'direct');
  caller?.done();
  block.done();
  return withoutUnset<ToolCallPart>({
    kind: 'tool_call',
    at: block.path,
    id,
    name,
    argumentsJson,
    signature,
  });
}

function readToolResult(block: ObjectReader, callIds: ReadonlySet<string>): ToolResultPart {
  block.pass('cache_control');
  const { id: callId } = splitSignature(block.requiredText('tool_use_id'));
  if (!callIds.has(callId)) block.invalid('tool_use_id', 'names no tool call of an earlier message');
  const content = readToolContent(block);
  const isError = block.flag('is_error') ?? false;
  block.done();
  return { kind: 'tool_result', at: block.path, callId, content, isError };
}

function readToolContent(block: ObjectReader): ToolResultPart['content'] {
  const content = block.value('content');
  if (typeof content !== 'string')
    return block.objects('content').flatMap((part) => readToolPart(part) ?? []);
  return content === '' ? [] : [{ kind: 'text', at: block.pathOf('content'), text: content }];
}

function readToolPart(block: ObjectReader): ToolResultPart['content'][number] | undefined {
  switch (block.requiredText('type')) {
    case 'text':
      return readTextBlock(block);
    case 'image':
      return readImage(block);
    case 'document':
      return readDocument(block);
    default:
      return refuseType(block);
  }
}

/** Reasoning of a vendor that does not sign came with an empty signature. */
function readThinking(block: ObjectReader): ReasoningPart {
  const text = block.requiredText('thinking');
  const written = block.requiredText('signature');
  block.done();
  const signature = written === '' ? undefined : readSignature(written, 'anthropic');
  return withoutUnset<ReasoningPart>({ kind: 'reasoning', at: block.path, text, signature });
}

function readRedactedThinking(block: ObjectReader): ReasoningPart {
  const data = block.requiredText('data');
  block.done();
  const signature = readSignature(data, 'anthropic');
  return { kind: 'reasoning', at: block.path, text: '', signature, isRedacted: true };
}

/** Among them the blocks of server tools, of the Files API and of search results, which only Anthropic has. */
function refuseType(block: ObjectReader): undefined {
  return block.unsupported('type', 'is not a content block that this model can be given here');
}
