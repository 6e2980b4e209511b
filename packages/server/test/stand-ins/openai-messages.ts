/** Test support: the order of the messages of a chat completion, and what they say. */
import type { Flavour } from './openai.ts';
import { type Fields, fieldsIn, refuse } from './strict.ts';
import type { Heard } from './vendor.ts';

/** Throws `BadRequest` for an order that OpenAI refuses. The form has been checked. */
export function readMessages(
  body: Fields,
  flavour: Flavour,
): Pick<Heard, 'system' | 'turns' | 'signaturesBack'> {
  const system: string[] = [];
  const turns: string[] = [];
  /** The calls that have no result yet, by id. */
  const open = new Map<string, string>();
  let signaturesBack = 0;
  for (const [index, message] of fieldsIn(body['messages']).entries()) {
    const at = `messages.${index}`;
    const role = String(message['role']);
    if (role !== 'tool' && open.size > 0) refuse(at, 'each tool_call_id must be answered by a tool message');
    if (role === 'tool') {
      turns.push(`result ${takeCall(open, message, at)}: ${textOf(message['content'])}`);
    } else if (role === 'user') {
      turns.push(`user: ${textOf(message['content'])}`);
    } else if (role === 'assistant') {
      turns.push(...assistantLines(message, at));
      const calls = fieldsIn(message['tool_calls']);
      for (const call of calls) open.set(String(call['id']), String((call['function'] as Fields)['name']));
      const reasoning = message[flavour.reasoningField ?? ''] ?? '';
      if (reasoning !== '') signaturesBack += 1;
      else if (calls.length > 0) refuseUnreasoned(body, flavour, at);
    } else {
      (turns.length === 0 ? system : turns).push(textOf(message['content']));
    }
  }
  if (open.size > 0) refuse('messages', 'each tool_call_id must be answered by a tool message');
  return { system: system.join('\n\n'), turns, signaturesBack };
}

/** DeepSeek's words for it. It thinks here only where it was told to. */
function refuseUnreasoned(body: Fields, { wantsReasoningBack }: Flavour, at: string): void {
  if (!wantsReasoningBack || body['reasoning_effort'] === undefined) return;
  refuse(at, 'The `reasoning_content` in the thinking mode must be passed back to the API.');
}

function takeCall(open: Map<string, string>, message: Fields, at: string): string {
  const id = String(message['tool_call_id']);
  const name = open.get(id);
  if (name === undefined) return refuse(at, "a message with role 'tool' must follow a call with its id");
  open.delete(id);
  return name;
}

function assistantLines(message: Fields, at: string): readonly string[] {
  const said = textOf(message['content']);
  const calls = fieldsIn(message['tool_calls']).map((call) => {
    const called = call['function'] as { readonly name: string; readonly arguments: string };
    return `assistant: call ${called.name} ${JSON.stringify(JSON.parse(called.arguments))}`;
  });
  if (calls.length === 0 && message['content'] === null)
    refuse(at, 'content is required unless tools are called');
  return [...(said === '' ? [] : [`assistant: ${said}`]), ...calls];
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return fieldsIn(content)
    .map((part) => (part['type'] === 'text' ? String(part['text']) : `[${imageOf(part)}]`))
    .join(' ');
}

function imageOf(part: Fields): string {
  const { url } = part['image_url'] as { readonly url: string };
  return url.replace(/^data:(.*);base64,/, '$1 ');
}
