/** Responsible for the output of a response: which item each piece of an answer belongs to, in the model's own order. */
import type { ChatEvent, Stop, TokenLogprob } from '../chat.ts';
import {
  type Emit,
  type ItemPlace,
  OpenCall,
  type OpenItem,
  OpenMessage,
  OpenReasoning,
} from './output-items.ts';

/** A piece of the one choice that a response has. */
export type ChoiceEvent = Extract<ChatEvent, { readonly choice: number }>;

export class OutputWriter {
  readonly #responseId: string;
  readonly #emit: Emit;
  readonly #items: object[] = [];
  #open: OpenItem | undefined;
  /** They came before the text that they are of. */
  #early: readonly TokenLogprob[] = [];
  #stop: Stop | undefined;
  #hasRefusal = false;

  constructor(responseId: string, emit: Emit) {
    this.#responseId = responseId;
    this.#emit = emit;
  }

  get items(): readonly object[] {
    return this.#items;
  }

  /** Why the response is not complete; `undefined` where it is. A refusal without words is told like a filter. */
  get incompleteReason(): 'max_output_tokens' | 'content_filter' | undefined {
    if (this.#stop?.reason === 'length') return 'max_output_tokens';
    if (this.#stop?.reason === 'filter') return 'content_filter';
    return this.#stop?.reason === 'refusal' && !this.#hasRefusal ? 'content_filter' : undefined;
  }

  push(event: ChoiceEvent): void {
    switch (event.kind) {
      case 'text':
        this.#message().addText(event.text);
        return this.#addLogprobs(this.#early);
      case 'refusal':
        this.#hasRefusal = true;
        return this.#message().addRefusal(event.text);
      case 'reasoning':
        return this.#reasoning().addText(event.text);
      case 'signature':
        return this.#sign(event);
      case 'tool_call':
        this.#close();
        this.#open = new OpenCall(this.#place('fc'), this.#emit, event);
        return;
      case 'tool_arguments':
        if (this.#open instanceof OpenCall) this.#open.addArguments(event.json);
        return;
      case 'logprobs':
        return this.#addLogprobs(event.tokens);
      case 'stop':
        this.#stop = event.stop;
        return this.#close();
    }
  }

  #message(): OpenMessage {
    if (this.#open instanceof OpenMessage) return this.#open;
    this.#close();
    const message = new OpenMessage(this.#place('msg'), this.#emit);
    this.#open = message;
    return message;
  }

  #reasoning(): OpenReasoning {
    if (this.#open instanceof OpenReasoning) return this.#open;
    this.#close();
    const reasoning = new OpenReasoning(this.#place('rs'), this.#emit);
    this.#open = reasoning;
    return reasoning;
  }

  /** What is signed ends with its signature. Text has no field for one: an item of its own follows it. */
  #sign({ signature, isRedacted }: Extract<ChoiceEvent, { readonly kind: 'signature' }>): void {
    // A call's own signature comes with the call, in its id.
    if (this.#open instanceof OpenCall && isRedacted !== true) return;
    const isOfText = this.#open instanceof OpenMessage && isRedacted !== true;
    if (isRedacted === true) this.#close();
    const signed = isOfText ? 'text' : 'reasoning';
    this.#reasoning().sign(isRedacted === true ? 'redacted' : signed, signature);
    this.#close();
  }

  #addLogprobs(tokens: readonly TokenLogprob[]): void {
    if (tokens.length === 0) return;
    const isAdded = this.#open instanceof OpenMessage && this.#open.addLogprobs(tokens);
    this.#early = isAdded ? [] : tokens;
  }

  #close(): void {
    if (this.#open === undefined) return;
    this.#items.push(this.#open.close(this.incompleteReason !== undefined));
    this.#open = undefined;
  }

  /** Ids of ours, the same each time that the answer is written. */
  #place(kind: 'msg' | 'fc' | 'rs'): ItemPlace {
    const index = this.#items.length;
    return { item_id: `${kind}_${this.#responseId}_${index}`, output_index: index };
  }
}
