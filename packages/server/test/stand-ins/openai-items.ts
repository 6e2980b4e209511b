/** Test support: the order of the items of a response's input, and what they say. */
import { SIGNATURE } from './openai-responses-answer.ts';
import { type Fields, fieldsIn, refuse } from './strict.ts';
import type { Heard } from './vendor.ts';

/** Throws `BadRequest` for an order that OpenAI refuses. The form has been checked. */
export function readItems(body: Fields): Pick<Heard, 'system' | 'turns' | 'signaturesBack'> {
  const system = typeof body['instructions'] === 'string' ? [body['instructions']] : [];
  const turns: string[] = [];
  const open = new Map<string, string>();
  let signaturesBack = 0;
  const input = typeof body['input'] === 'string' ? [userSays(body['input'])] : fieldsIn(body['input']);
  for (const [index, item] of input.entries()) {
    const at = `input.${index}`;
    const callId = String(item['call_id']);
    switch (item['type'] ?? 'message') {
      case 'function_call':
        open.set(callId, String(item['name']));
        turns.push(`assistant: call ${String(item['name'])} ${rewrite(item['arguments'])}`);
        break;
      case 'function_call_output': {
        const name = open.get(callId) ?? refuse(at, `No tool call found for output with call_id ${callId}`);
        open.delete(callId);
        turns.push(`result ${name}: ${textOf(item['output'])}`);
        break;
      }
      case 'reasoning':
        if (index === input.length - 1) refuse(at, 'was provided without its required following item');
        if (item['encrypted_content'] !== SIGNATURE)
          refuse(at, 'the encrypted content could not be verified');
        signaturesBack += 1;
        break;
      default:
        if (item['role'] === 'user' || item['role'] === 'assistant') {
          turns.push(`${item['role']}: ${textOf(item['content'])}`);
        } else system.push(textOf(item['content']));
    }
  }
  if (open.size > 0) refuse('input', 'No tool output found for a function call');
  return { system: system.join('\n\n'), turns, signaturesBack };
}

function userSays(content: string): Fields {
  return { role: 'user', content };
}

function rewrite(json: unknown): string {
  return JSON.stringify(JSON.parse(String(json)));
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  const parts = fieldsIn(content).map(({ text, image_url: url }) =>
    typeof text === 'string' ? text : `[${String(url).replace(/^data:(.*);base64,/, '$1 ')}]`,
  );
  return parts.join(' ');
}
