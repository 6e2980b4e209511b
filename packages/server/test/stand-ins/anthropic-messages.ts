/** Test support: the order of Anthropic's messages, and what they say ("Handle tool calls", platform.claude.com). */
import { type Fields, fieldsIn, refuse } from './strict.ts';
import { SIGNATURE } from './anthropic-answer.ts';
import type { Heard } from './vendor.ts';

/** Throws `BadRequest` for an order that Anthropic refuses. The form has been checked. */
export function readMessages(body: Fields): Pick<Heard, 'system' | 'turns' | 'signaturesBack'> {
  const turns: string[] = [];
  /** The calls of the message before, by id. */
  let open = new Map<string, string>();
  let signaturesBack = 0;
  for (const [index, message] of fieldsIn(body['messages']).entries()) {
    const at = `messages.${index}`;
    const role = String(message['role']);
    if (index === 0 && role !== 'user') refuse(at, 'first message must use the "user" role');
    const blocks = blocksOf(message['content']);
    if (role === 'user') {
      turns.push(...userLines(blocks, open, at));
      open = new Map();
    } else {
      if (open.size > 0) refuse(at, '`tool_use` ids were found without `tool_result` blocks after them');
      signaturesBack += countSignatures(blocks, at);
      checkThinking(body, blocks, at);
      for (const block of blocks) {
        if (block['type'] === 'tool_use') open.set(String(block['id']), String(block['name']));
      }
      turns.push(...assistantLines(blocks));
    }
  }
  if (open.size > 0) refuse('messages', '`tool_use` ids were found without `tool_result` blocks after them');
  return {
    system: blocksOf(body['system'] ?? [])
      .map(textOf)
      .join('\n\n'),
    turns,
    signaturesBack,
  };
}

function userLines(blocks: readonly Fields[], open: Map<string, string>, at: string): readonly string[] {
  const results: string[] = [];
  const said: string[] = [];
  for (const block of blocks) {
    if (block['type'] !== 'tool_result') {
      said.push(textOf(block));
      continue;
    }
    const id = String(block['tool_use_id']);
    const name = open.get(id) ?? refuse(at, 'unexpected `tool_use_id` found in `tool_result` blocks');
    if (said.length > 0) refuse(at, '`tool_result` blocks must come first');
    open.delete(id);
    results.push(
      `result ${name}: ${blocksOf(block['content'] ?? [])
        .map(textOf)
        .join(' ')}`,
    );
  }
  if (open.size > 0) refuse(at, '`tool_use` ids were found without `tool_result` blocks immediately after');
  return [...results, ...(said.length > 0 ? [`user: ${said.join(' ')}`] : [])];
}

function assistantLines(blocks: readonly Fields[]): readonly string[] {
  return blocks.flatMap((block) => {
    if (block['type'] === 'text') return [`assistant: ${String(block['text'])}`];
    if (block['type'] !== 'tool_use') return [];
    return [`assistant: call ${String(block['name'])} ${JSON.stringify(block['input'])}`];
  });
}

function countSignatures(blocks: readonly Fields[], at: string): number {
  const thoughts = blocks.filter((block) => block['type'] === 'thinking');
  for (const { signature } of thoughts) {
    if (signature !== SIGNATURE) refuse(at, 'Invalid `signature` in `thinking` block');
  }
  return thoughts.length;
}

/** With a budget, a turn that calls tools begins with what was thought. With adaptive thinking it need not. */
function checkThinking(body: Fields, blocks: readonly Fields[], at: string): void {
  const thinking = body['thinking'] as { readonly type: string } | undefined;
  const isLast =
    at === `messages.${fieldsIn(body['messages']).findLastIndex(({ role }) => role === 'assistant')}`;
  const callsTools = blocks.some((block) => block['type'] === 'tool_use');
  if (thinking?.type !== 'enabled' || !isLast || !callsTools) return;
  if (blocks[0]?.['type'] !== 'thinking')
    refuse(at, 'a final `assistant` message must start with a thinking block');
}

function blocksOf(content: unknown): readonly Fields[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : fieldsIn(content);
}

function textOf(block: Fields): string {
  if (block['type'] === 'text') return String(block['text']);
  const source = block['source'] as { url?: string; media_type?: string; data?: string };
  return `[${source.url ?? `${source.media_type} ${source.data}`}]`;
}
