/** Responsible for a streamed answer as a client of Anthropic's Messages API expects it. */
import type { ReportedUsage } from '../../providers/provider.ts';
import type { ChatEvent, Signature, Stop } from '../chat.ts';
import type { AnswerContext, StreamEncoder } from '../dialect.ts';
import { joinSignature } from '../signatures.ts';
import { redactedBlock, textBlock, thinkingBlock, toolUseBlock, writeOwn } from './blocks.ts';
import { writeStop } from './stop-reasons.ts';
import { writeEnvelope } from './write-answer.ts';
import { writeUsage, writeUsageAtStart } from './write-usage.ts';

type ToolCall = Extract<ChatEvent, { kind: 'tool_call' }>;

/** The block that is open; a text that refuses is a block of its own, and so is reasoning after a signature. */
type OpenBlock = 'text' | 'refusal' | 'reasoning' | 'signed reasoning' | 'tool_call';

export class AnthropicStreamEncoder implements StreamEncoder {
  readonly #context: AnswerContext;
  #index = -1;
  #open: OpenBlock | undefined;
  /** Its block begins with the next event, since its signature, which rides in its id, may still come. */
  #call: ToolCall | undefined;
  #stop: Stop | undefined;
  #usage: ReportedUsage | undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  push(event: ChatEvent): string {
    // No client of this dialect can have asked for more than the first choice.
    if ('choice' in event && event.choice !== 0) return '';
    if (event.kind === 'signature' && event.isRedacted !== true && this.#call !== undefined) {
      this.#call = { ...this.#call, signature: event.signature };
      return '';
    }
    return this.#startCall() + this.#write(event);
  }

  #write(event: ChatEvent): string {
    switch (event.kind) {
      case 'start':
        return this.#start(event.id, event.model);
      case 'text':
      case 'refusal':
        return this.#writeText(event.kind, event.text);
      case 'reasoning':
        return this.#writeReasoning(event.text);
      case 'signature':
        return event.isRedacted === true ? this.#writeRedacted(event.signature) : this.#sign(event.signature);
      case 'tool_call':
        this.#call = event;
        return this.#close();
      case 'tool_arguments':
        return this.#writeArguments(event.json);
      case 'stop':
        this.#stop = event.stop;
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'end':
        return this.#end();
      // Log probabilities nobody can have asked for, and a stream that breaks off the gateway ends.
      case 'logprobs':
      case 'failed':
        return '';
    }
  }

  #start(id: string, model: string): string {
    const message = {
      ...writeEnvelope(id, model, this.#context),
      content: [],
      ...writeStop(undefined),
      usage: writeUsageAtStart(),
    };
    return sse({ type: 'message_start', message });
  }

  #writeText(kind: 'text' | 'refusal', text: string): string {
    if (text === '') return '';
    const start = this.#open === kind ? '' : this.#begin(kind, textBlock(''));
    return start + this.#delta({ type: 'text_delta', text });
  }

  #writeReasoning(thinking: string): string {
    const start = this.#open === 'reasoning' ? '' : this.#begin('reasoning', thinkingBlock('', undefined));
    return thinking === '' ? start : start + this.#delta({ type: 'thinking_delta', thinking });
  }

  /** The signature of a text has no place, and may be missing: see `writeAnswer`. */
  #sign(signature: Signature): string {
    if (this.#open !== 'reasoning') return '';
    this.#open = 'signed reasoning';
    return this.#delta({ type: 'signature_delta', signature: writeOwn(signature) });
  }

  #writeRedacted(signature: Signature): string {
    return this.#begin('signed reasoning', redactedBlock(signature));
  }

  #writeArguments(json: string): string {
    if (json === '' || this.#open !== 'tool_call') return '';
    return this.#delta({ type: 'input_json_delta', partial_json: json });
  }

  #startCall(): string {
    if (this.#call === undefined) return '';
    const { id, name, signature } = this.#call;
    this.#call = undefined;
    return this.#begin('tool_call', toolUseBlock(joinSignature(id, signature), name, {}));
  }

  #end(): string {
    const delta = { container: null, ...writeStop(this.#stop) };
    const last = sse({ type: 'message_delta', delta, usage: writeUsage(this.#usage) });
    return this.#close() + last + sse({ type: 'message_stop' });
  }

  #begin(open: OpenBlock, block: object): string {
    const closed = this.#close();
    this.#open = open;
    this.#index++;
    return closed + sse({ type: 'content_block_start', index: this.#index, content_block: block });
  }

  #delta(delta: object): string {
    return sse({ type: 'content_block_delta', index: this.#index, delta });
  }

  #close(): string {
    if (this.#open === undefined) return '';
    this.#open = undefined;
    return sse({ type: 'content_block_stop', index: this.#index });
  }
}

function sse(event: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
