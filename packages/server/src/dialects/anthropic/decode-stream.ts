/**
 * Responsible for reading Anthropic's stream ("Streaming messages", platform.claude.com). Its blocks follow each other,
 * so their pieces come in order; usage is a running total, of which the last one counts.
 */
import { mergeUsage } from '../../providers/anthropic/map-usage.ts';
import { type Fields, fieldsOf } from '../../providers/strict-usage.ts';
import type { ChatEvent, JsonObject, JsonValue } from '../chat.ts';
import type { SentEvent, StreamDecoder } from '../dialect.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject } from '../reading.ts';
import { readUsage, textOf } from './read-answer.ts';
import { readStop } from './stop-reasons.ts';

export class AnthropicStreamDecoder implements StreamDecoder {
  /** Of the block that is open. */
  #blockType = '';
  #usage: Fields = {};
  /** A `message_delta` has told the output: what a stream begins with is a placeholder. */
  #hasUsage = false;
  #isOver = false;

  push({ name, data }: SentEvent): readonly ChatEvent[] {
    if (this.#isOver) return [];
    const fields = parseObject(data);
    switch (name === 'error' ? name : textOf(fields?.['type'])) {
      case 'message_start':
        return this.#start(fields?.['message']);
      case 'content_block_start':
        return this.#startBlock(fields?.['content_block']);
      case 'content_block_delta':
        return this.#readDelta(fields?.['delta']);
      case 'message_delta':
        return this.#readMessageDelta(fields?.['delta'], fields?.['usage']);
      case 'message_stop':
        return this.#end();
      case 'error':
        this.#isOver = true;
        return [{ kind: 'failed' }];
      // Pings, the ends of blocks, and whatever may be new.
      default:
        return [];
    }
  }

  /** Only Anthropic itself says that an answer is complete. */
  finish(): readonly ChatEvent[] {
    return [];
  }

  #start(message: JsonValue | undefined): readonly ChatEvent[] {
    if (!isObject(message)) return [];
    const started = {
      ...fieldsOf(message['usage']),
      output_tokens: undefined,
      output_tokens_details: undefined,
    };
    this.#usage = mergeUsage({}, started);
    return [{ kind: 'start', id: textOf(message['id']), model: textOf(message['model']) }];
  }

  #startBlock(block: JsonValue | undefined): readonly ChatEvent[] {
    if (!isObject(block)) return [];
    const type = textOf(block['type']);
    this.#blockType = type;
    switch (type) {
      case 'text':
        return pieceOf('text', block['text']);
      case 'thinking':
        // Even where no text of it is shown there is a signature, which belongs to a part.
        return [
          { kind: 'reasoning', choice: 0, text: textOf(block['thinking']) },
          ...sign(block['signature']),
        ];
      case 'redacted_thinking':
        return sign(block['data']).map((event) => ({ ...event, isRedacted: true }));
      case 'tool_use':
        return [
          { kind: 'tool_call', choice: 0, id: textOf(block['id']), name: textOf(block['name']) },
          ...readWholeInput(block['input']),
        ];
      default:
        return [];
    }
  }

  #readDelta(delta: JsonValue | undefined): readonly ChatEvent[] {
    if (!isObject(delta)) return [];
    switch (textOf(delta['type'])) {
      case 'text_delta':
        return pieceOf('text', delta['text']);
      case 'thinking_delta':
        return pieceOf('reasoning', delta['thinking']);
      case 'signature_delta':
        return sign(delta['signature']);
      case 'input_json_delta': {
        // A server tool has such pieces, too.
        const json = this.#blockType === 'tool_use' ? textOf(delta['partial_json']) : '';
        return json === '' ? [] : [{ kind: 'tool_arguments', choice: 0, json }];
      }
      default:
        return [];
    }
  }

  #readMessageDelta(delta: JsonValue | undefined, usage: JsonValue | undefined): readonly ChatEvent[] {
    if (isObject(usage)) {
      this.#usage = mergeUsage(this.#usage, usage);
      this.#hasUsage = true;
    }
    const reason = isObject(delta) ? textOf(delta['stop_reason']) : '';
    if (!isObject(delta) || reason === '') return [];
    return [{ kind: 'stop', choice: 0, stop: readStop(reason, delta['stop_sequence']) }];
  }

  #end(): readonly ChatEvent[] {
    this.#isOver = true;
    const usage = this.#hasUsage ? readUsage(this.#usage) : undefined;
    return usage === undefined ? [{ kind: 'end' }] : [{ kind: 'usage', usage }, { kind: 'end' }];
  }
}

function pieceOf(kind: 'text' | 'reasoning', value: JsonValue | undefined): readonly ChatEvent[] {
  const text = textOf(value);
  return text === '' ? [] : [{ kind, choice: 0, text }];
}

type SignatureEvent = Extract<ChatEvent, { kind: 'signature' }>;

function sign(written: JsonValue | undefined): readonly SignatureEvent[] {
  const value = textOf(written);
  return value === '' ? [] : [{ kind: 'signature', choice: 0, signature: { by: 'anthropic', value } }];
}

/** Anthropic sends an input in pieces, but compatible servers may send one whole. */
function readWholeInput(input: JsonValue | undefined): readonly ChatEvent[] {
  if (!isObject(input) || Object.keys(input).length === 0) return [];
  return [{ kind: 'tool_arguments', choice: 0, json: JSON.stringify(input) }];
}

function parseObject(data: string): JsonObject | undefined {
  try {
    const value = parseExactJson(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
