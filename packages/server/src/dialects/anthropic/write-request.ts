/**
 * Responsible for saying a chat as a request to Anthropic's Messages API, or for refusing what cannot be said there. A
 * missing `max_tokens`, which Anthropic requires, is left to the later step that knows a cap.
 */
import type { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, TextPart, Tool } from '../chat.ts';
import { Reading } from '../reading.ts';
import { refusalsOf } from './generations.ts';
import { TOOL_NAME } from './read-tools.ts';
import type { Target } from './generations.ts';
import { writeSettings } from './write-settings.ts';
import { writeTurns } from './write-turns.ts';

export function writeRequest(chat: ChatRequest, upstreamModel: string): Buffer | Denial {
  const reading = new Reading();
  const target: Target = { reading, refusals: refusalsOf(upstreamModel) };
  const body = {
    model: upstreamModel,
    system: writeSystem(chat.system),
    messages: writeTurns(chat.turns, target),
    tools: chat.tools.length === 0 ? undefined : chat.tools.map((tool) => writeTool(tool, reading)),
    ...writeSettings(chat, target),
    stream: chat.streamed ? true : undefined,
  };
  return reading.refusal ?? Buffer.from(JSON.stringify(body));
}

/** Anthropic takes no empty text, and one says nothing. */
function writeSystem(system: readonly TextPart[]): object[] | undefined {
  const blocks = system.filter(({ text }) => text !== '').map(({ text }) => ({ type: 'text', text }));
  return blocks.length === 0 ? undefined : blocks;
}

function writeTool({ at, name, description, schema, isStrict }: Tool, reading: Reading): object {
  if (!TOOL_NAME.test(name)) {
    reading.unsupported(at, 'has a name of other than 1 to 128 letters, digits, underscores and hyphens');
  }
  if (schema !== undefined && schema['type'] !== 'object') {
    reading.unsupported(at, "has a schema whose type is not 'object'");
  }
  return { name, description, input_schema: schema ?? EMPTY_SCHEMA, strict: isStrict };
}

const EMPTY_SCHEMA = { type: 'object', properties: {} };
