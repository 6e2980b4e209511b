/**
 * Responsible for a streamed answer to a client of OpenAI's chat completions: chunks without event names, the role first,
 * the reason of the end last in each choice, then the usage where it was asked for, then `[DONE]`.
 */
import type { ReportedUsage } from '../../providers/provider.ts';
import type { ChatEvent, ReasoningPart, Stop, TextPart } from '../chat.ts';
import type { AnswerContext, StreamEncoder } from '../dialect.ts';
import { joinSignature } from '../signatures.ts';
import { writeDetails } from './reasoning-details.ts';
import { writeAnswerId } from './write-answer.ts';
import { writeLogprobs, writeStop, writeUsage } from './write-fields.ts';

export class OpenAiStreamEncoder implements StreamEncoder {
  readonly #context: AnswerContext;
  readonly #choices = new Map<number, ChoiceEncoder>();
  #id = '';
  #model = '';
  #usage: ReportedUsage | undefined = undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  push(event: ChatEvent): string {
    if ('choice' in event) {
      const pieces = this.#choiceOf(event.choice).push(event);
      return pieces.map((piece) => this.#writePiece(event.choice, piece)).join('');
    }
    switch (event.kind) {
      case 'start':
        this.#id = writeAnswerId(event.id, this.#context);
        this.#model = event.model || this.#context.model;
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'end':
        return `${this.#writeUsage()}data: [DONE]\n\n`;
      case 'failed':
        return '';
    }
  }

  #choiceOf(index: number): ChoiceEncoder {
    const known = this.#choices.get(index) ?? new ChoiceEncoder();
    this.#choices.set(index, known);
    return known;
  }

  #writePiece(index: number, { delta, logprobs, finish }: Piece): string {
    const choice = { index, delta, logprobs: logprobs ?? null, finish_reason: finish ?? null };
    return this.#writeChunk([choice], null);
  }

  #writeUsage(): string {
    if (!this.#context.wantsUsage || this.#usage === undefined) return '';
    return this.#writeChunk([], writeUsage(this.#usage));
  }

  #writeChunk(choices: readonly object[], usage: object | null): string {
    const chunk = {
      id: this.#id,
      object: 'chat.completion.chunk',
      created: this.#context.createdAtS,
      model: this.#model,
      choices,
      // Every chunk says that the usage is to come, where it was asked for.
      ...(this.#context.wantsUsage ? { usage } : {}),
    };
    return `data: ${JSON.stringify(chunk)}\n\n`;
  }
}

interface Piece {
  readonly delta: object;
  readonly logprobs?: object | null;
  readonly finish?: string;
}

type ChoiceEvent = Extract<ChatEvent, { readonly choice: number }>;

class ChoiceEncoder {
  #hasRole = false;
  #hasRefusal = false;
  #callCount = 0;
  /** The call that is being written has no arguments yet. */
  #lacksArguments = false;
  /** The part that a signature would belong to. */
  #latest: TextPart | ReasoningPart | 'call' | undefined;
  /** The parts that have a signature: told in one chunk, since clients differ in how they join lists. */
  readonly #signed: (TextPart | ReasoningPart)[] = [];

  push(event: ChoiceEvent): readonly Piece[] {
    // A call is signed as it begins, in its id, which has been sent.
    if (event.kind === 'signature' && event.isRedacted !== true && this.#latest === 'call') return [];
    const pieces = event.kind === 'tool_arguments' ? [] : this.#endCall(event);
    pieces.push(...this.#write(event));
    if (this.#hasRole || pieces.length === 0) return pieces;
    this.#hasRole = true;
    const content = event.kind === 'tool_call' ? null : '';
    return [{ delta: { role: 'assistant', content, refusal: null } }, ...pieces];
  }

  #write(event: ChoiceEvent): Piece[] {
    switch (event.kind) {
      case 'text':
        this.#latest = { kind: 'text', at: '', text: '' };
        return [{ delta: { content: event.text } }];
      case 'refusal':
        this.#hasRefusal = true;
        return [{ delta: { refusal: event.text } }];
      case 'reasoning':
        return this.#writeReasoning(event.text);
      case 'signature':
        this.#sign(event);
        return [];
      case 'tool_call':
        this.#latest = 'call';
        this.#lacksArguments = true;
        this.#callCount += 1;
        return [
          this.#writeCall({ name: event.name, arguments: '' }, joinSignature(event.id, event.signature)),
        ];
      case 'tool_arguments':
        if (event.json !== '') this.#lacksArguments = false;
        return [this.#writeCall({ arguments: event.json })];
      case 'logprobs':
        return [{ delta: {}, logprobs: writeLogprobs(event.tokens) }];
      case 'stop':
        return this.#writeStop(event.stop);
    }
  }

  get #reasoningSoFar(): string {
    const latest = this.#latest;
    return latest !== 'call' && latest?.kind === 'reasoning' ? latest.text : '';
  }

  #writeReasoning(text: string): Piece[] {
    this.#latest = { kind: 'reasoning', at: '', text: this.#reasoningSoFar + text };
    return text === '' ? [] : [{ delta: { reasoning_content: text } }];
  }

  #sign({ signature, isRedacted }: Extract<ChoiceEvent, { readonly kind: 'signature' }>): void {
    if (isRedacted === true) {
      this.#signed.push({ kind: 'reasoning', at: '', text: '', signature, isRedacted });
    } else if (this.#latest !== 'call' && this.#latest?.kind === 'text') {
      this.#signed.push({ ...this.#latest, signature });
    } else {
      this.#signed.push({ kind: 'reasoning', at: '', text: this.#reasoningSoFar, signature });
    }
    this.#latest = undefined;
  }

  #writeCall(called: { readonly name?: string; readonly arguments: string }, id?: string): Piece {
    const index = this.#callCount - 1;
    const begin = id === undefined ? {} : { id, type: 'function' };
    return { delta: { tool_calls: [{ index, ...begin, function: called }] } };
  }

  /** A call whose arguments never came has none, which is an empty object in JSON. */
  #endCall({ kind }: ChoiceEvent): Piece[] {
    if (!this.#lacksArguments || kind === 'logprobs') return [];
    this.#lacksArguments = false;
    return [this.#writeCall({ arguments: '{}' })];
  }

  #writeStop({ reason }: Stop): Piece[] {
    const details = writeDetails(this.#signed);
    const pieces: Piece[] = details.length > 0 ? [{ delta: { reasoning_details: details } }] : [];
    return [...pieces, { delta: {}, finish: writeStop(reason, this.#hasRefusal) }];
  }
}
