/** Responsible for reading a whole answer of Anthropic's Messages API. */
import { mapUsage } from '../../providers/anthropic/map-usage.ts';
import type { ReportedUsage } from '../../providers/provider.ts';
import type { AssistantPart, ChatAnswer, JsonObject, JsonValue } from '../chat.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject } from '../reading.ts';
import { readStop } from './stop-reasons.ts';

/** `undefined` for what is no message. Never throws. */
export function readAnswer(body: Buffer): ChatAnswer | undefined {
  try {
    const message = parseExactJson(body.toString('utf8'));
    return isObject(message) && Array.isArray(message['content']) ? readMessage(message) : undefined;
  } catch {
    // It is no JSON, or is nested too deep to be an answer.
    return undefined;
  }
}

/** `undefined` where it cannot be believed. */
export function readUsage(reported: unknown): ReportedUsage | undefined {
  const reading = mapUsage(reported);
  return 'usage' in reading ? reading.usage : undefined;
}

export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function readMessage(message: JsonObject): ChatAnswer {
  const blocks = Array.isArray(message['content']) ? (message['content'] as readonly JsonValue[]) : [];
  const parts = blocks.flatMap((block, index) =>
    isObject(block) ? (readBlock(block, `content.${index}`) ?? []) : [],
  );
  const stop = readStop(textOf(message['stop_reason']), message['stop_sequence']);
  return {
    id: textOf(message['id']),
    model: textOf(message['model']),
    choices: [{ parts, stop }],
    usage: readUsage(message['usage']),
  };
}

/** Blocks of server tools are passed over: nobody can have asked for them. */
function readBlock(block: JsonObject, at: string): AssistantPart | undefined {
  switch (textOf(block['type'])) {
    case 'text':
      return { kind: 'text', at, text: textOf(block['text']) };
    case 'thinking': {
      const value = textOf(block['signature']);
      const reasoning = { kind: 'reasoning', at, text: textOf(block['thinking']) } as const;
      return value === '' ? reasoning : { ...reasoning, signature: { by: 'anthropic', value } };
    }
    case 'redacted_thinking': {
      const signature = { by: 'anthropic', value: textOf(block['data']) } as const;
      return { kind: 'reasoning', at, text: '', signature, isRedacted: true };
    }
    case 'tool_use': {
      const argumentsJson = JSON.stringify(block['input'] ?? {});
      return { kind: 'tool_call', at, id: textOf(block['id']), name: textOf(block['name']), argumentsJson };
    }
    default:
      return undefined;
  }
}
