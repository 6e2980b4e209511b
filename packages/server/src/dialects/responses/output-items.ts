/**
 * Responsible for one item of a response's output while it is being written: what its events say as it grows, and what it
 * is in the end. A whole answer is written in the same way, with nobody listening to the events.
 */
import type { Signature, TokenLogprob } from '../chat.ts';
import { joinSignature } from '../signatures.ts';
import { type Signed, writeEncrypted } from './encrypted-content.ts';

/** Where an item stands, as its events name it. */
export interface ItemPlace {
  readonly item_id: string;
  readonly output_index: number;
}

/** Told of one event of an item, without its number. */
export type Emit = (type: string, fields: object) => void;

export interface OpenItem {
  /** Ends the item. `isCut`: the answer broke off in it. Returns what it has become. */
  close(isCut: boolean): object;
}

type ContentPart =
  | {
      readonly type: 'output_text';
      readonly text: string;
      readonly annotations: readonly never[];
      readonly logprobs: readonly object[];
    }
  | { readonly type: 'refusal'; readonly refusal: string };

/** Text and refusals that follow each other. */
export class OpenMessage implements OpenItem {
  readonly #place: ItemPlace;
  readonly #emit: Emit;
  readonly #content: ContentPart[] = [];
  #part: ContentPart | undefined;

  constructor(place: ItemPlace, emit: Emit) {
    this.#place = place;
    this.#emit = emit;
    emit('response.output_item.added', { output_index: place.output_index, item: this.#item('in_progress') });
  }

  addText(delta: string): void {
    if (this.#part?.type !== 'output_text') {
      this.#open({ type: 'output_text', text: '', annotations: [], logprobs: [] });
    }
    if (this.#part?.type !== 'output_text') return;
    this.#part = { ...this.#part, text: this.#part.text + delta };
    this.#emit('response.output_text.delta', { ...this.#partPlace(), delta, logprobs: [] });
  }

  addRefusal(delta: string): void {
    if (this.#part?.type !== 'refusal') this.#open({ type: 'refusal', refusal: '' });
    if (this.#part?.type !== 'refusal') return;
    this.#part = { ...this.#part, refusal: this.#part.refusal + delta };
    this.#emit('response.refusal.delta', { ...this.#partPlace(), delta });
  }

  /** Of the tokens before: false where there is no text that they could be of. */
  addLogprobs(tokens: readonly TokenLogprob[]): boolean {
    if (this.#part?.type !== 'output_text') return false;
    const logprobs = writeTokens(tokens);
    this.#part = { ...this.#part, logprobs: [...this.#part.logprobs, ...logprobs] };
    this.#emit('response.output_text.delta', { ...this.#partPlace(), delta: '', logprobs });
    return true;
  }

  close(isCut: boolean): object {
    this.#closePart();
    const item = this.#item(isCut ? 'incomplete' : 'completed');
    this.#emit('response.output_item.done', { output_index: this.#place.output_index, item });
    return item;
  }

  #open(part: ContentPart): void {
    this.#closePart();
    this.#part = part;
    this.#emit('response.content_part.added', { ...this.#partPlace(), part });
  }

  #closePart(): void {
    const part = this.#part;
    if (part === undefined) return;
    const place = this.#partPlace();
    if (part.type === 'refusal') {
      this.#emit('response.refusal.done', { ...place, refusal: part.refusal });
    } else {
      this.#emit('response.output_text.done', { ...place, text: part.text, logprobs: part.logprobs });
    }
    this.#emit('response.content_part.done', { ...place, part });
    this.#content.push(part);
    this.#part = undefined;
  }

  #partPlace(): object {
    return { ...this.#place, content_index: this.#content.length };
  }

  #item(status: string): object {
    const content = [...this.#content];
    return { type: 'message', id: this.#place.item_id, status, role: 'assistant', content };
  }
}

/** Shown as a summary, which is how clients know reasoning. */
export class OpenReasoning implements OpenItem {
  readonly #place: ItemPlace;
  readonly #emit: Emit;
  #text = '';
  #encrypted: string | undefined;

  constructor(place: ItemPlace, emit: Emit) {
    this.#place = place;
    this.#emit = emit;
    emit('response.output_item.added', { output_index: place.output_index, item: this.#item() });
  }

  addText(delta: string): void {
    if (delta === '') return;
    const place = this.#summaryPlace();
    if (this.#text === '')
      this.#emit('response.reasoning_summary_part.added', { ...place, part: summaryOf('') });
    this.#text += delta;
    this.#emit('response.reasoning_summary_text.delta', { ...place, delta });
  }

  sign(signed: Signed, signature: Signature): void {
    this.#encrypted = writeEncrypted(signed, signature);
  }

  close(): object {
    const text = this.#text;
    const place = this.#summaryPlace();
    if (text !== '') {
      this.#emit('response.reasoning_summary_text.done', { ...place, text });
      this.#emit('response.reasoning_summary_part.done', { ...place, part: summaryOf(text) });
    }
    const item = this.#item();
    this.#emit('response.output_item.done', { output_index: this.#place.output_index, item });
    return item;
  }

  #summaryPlace(): object {
    return { ...this.#place, summary_index: 0 };
  }

  #item(): object {
    return {
      type: 'reasoning',
      id: this.#place.item_id,
      summary: this.#text === '' ? [] : [summaryOf(this.#text)],
      ...(this.#encrypted === undefined ? {} : { encrypted_content: this.#encrypted }),
    };
  }
}

export interface BegunCall {
  readonly id: string;
  readonly name: string;
  readonly signature?: Signature;
}

export class OpenCall implements OpenItem {
  readonly #place: ItemPlace;
  readonly #emit: Emit;
  readonly #call: { readonly call_id: string; readonly name: string };
  #json = '';

  constructor(place: ItemPlace, emit: Emit, { id, name, signature }: BegunCall) {
    this.#place = place;
    this.#emit = emit;
    this.#call = { call_id: joinSignature(id, signature), name };
    emit('response.output_item.added', { output_index: place.output_index, item: this.#item('in_progress') });
  }

  addArguments(delta: string): void {
    if (delta === '') return;
    this.#json += delta;
    this.#emit('response.function_call_arguments.delta', { ...this.#place, delta });
  }

  close(isCut: boolean): object {
    // A call whose arguments never came has none, which is an empty object in JSON.
    if (this.#json === '') this.addArguments('{}');
    this.#emit('response.function_call_arguments.done', { ...this.#place, arguments: this.#json });
    const item = this.#item(isCut ? 'incomplete' : 'completed');
    this.#emit('response.output_item.done', { output_index: this.#place.output_index, item });
    return item;
  }

  #item(status: string): object {
    return { type: 'function_call', id: this.#place.item_id, ...this.#call, arguments: this.#json, status };
  }
}

function summaryOf(text: string): object {
  return { type: 'summary_text', text };
}

/** The client's types do not let the bytes be absent. */
function writeTokens(tokens: readonly TokenLogprob[]): readonly object[] {
  return tokens.map(({ alternatives, ...token }) => ({
    ...writeToken(token),
    top_logprobs: alternatives.map((alternative) => writeToken(alternative)),
  }));
}

function writeToken({ token, logprob, bytes }: Omit<TokenLogprob, 'alternatives'>): object {
  return { token, logprob, bytes: bytes ?? [] };
}
