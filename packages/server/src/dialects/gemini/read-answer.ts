/**
 * Reads a whole `GenerateContentResponse` (ai.google.dev/api/generate-content). It is one event of a stream that has no
 * other, and is read as such.
 */
import type {
  AssistantPart,
  ChatAnswer,
  ChatEvent,
  Choice,
  ReasoningPart,
  Stop,
  TextPart,
  TokenLogprob,
  ToolCallPart,
} from '../chat.ts';
import { GeminiStreamDecoder } from './decode-stream.ts';

export function readAnswer(body: Buffer): ChatAnswer | undefined {
  const decoder = new GeminiStreamDecoder();
  const collected = new CollectedAnswer();
  for (const event of decoder.push({ name: '', data: body.toString('utf8') })) collected.add(event);
  for (const event of decoder.finish()) collected.add(event);
  return collected.answer;
}

interface OpenChoice {
  readonly parts: AssistantPart[];
  readonly logprobs: TokenLogprob[];
  stop: Stop | undefined;
}

class CollectedAnswer {
  readonly #choices = new Map<number, OpenChoice>();
  #id = '';
  #model = '';
  #usage: ChatAnswer['usage'];
  #isComplete = false;

  /** `undefined` for what was no whole answer. */
  get answer(): ChatAnswer | undefined {
    if (!this.#isComplete) return undefined;
    const choices: Choice[] = [];
    for (const [, { parts, logprobs, stop }] of [...this.#choices].sort(([a], [b]) => a - b)) {
      if (stop !== undefined) choices.push({ parts, stop, ...(logprobs.length === 0 ? {} : { logprobs }) });
    }
    return { id: this.#id, model: this.#model, choices, usage: this.#usage };
  }

  add(event: ChatEvent): void {
    if ('choice' in event) this.#addPiece(event, this.#choiceOf(event.choice));
    else if (event.kind === 'usage') this.#usage = event.usage;
    else if (event.kind === 'end') this.#isComplete = true;
    else if (event.kind === 'start') {
      this.#id = event.id;
      this.#model = event.model;
    }
  }

  #addPiece(piece: Extract<ChatEvent, { readonly choice: number }>, choice: OpenChoice): void {
    if (piece.kind === 'stop') choice.stop = piece.stop;
    else if (piece.kind === 'logprobs') choice.logprobs.push(...piece.tokens);
    else addPart(choice.parts, piece);
  }

  #choiceOf(choice: number): OpenChoice {
    const known = this.#choices.get(choice);
    if (known !== undefined) return known;
    const open: OpenChoice = { parts: [], logprobs: [], stop: undefined };
    this.#choices.set(choice, open);
    return open;
  }
}

type Piece = Exclude<Extract<ChatEvent, { readonly choice: number }>, { readonly kind: 'logprobs' | 'stop' }>;

function addPart(parts: AssistantPart[], piece: Piece): void {
  const last = parts.at(-1);
  switch (piece.kind) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      if (last?.kind === piece.kind && !('signature' in last)) {
        parts[parts.length - 1] = { ...last, text: last.text + piece.text };
      } else parts.push({ kind: piece.kind, text: piece.text, at: '' });
      break;
    case 'signature':
      addSignature(parts, piece);
      break;
    case 'tool_call': {
      const { id, name, signature } = piece;
      const call: ToolCallPart = { kind: 'tool_call', id, name, argumentsJson: '', at: '' };
      parts.push(signature === undefined ? call : { ...call, signature });
      break;
    }
    case 'tool_arguments':
      if (last?.kind === 'tool_call') {
        parts[parts.length - 1] = { ...last, argumentsJson: last.argumentsJson + piece.json };
      }
  }
}

/** It closes the part before it, or is the whole of a reasoning that shows nothing. */
function addSignature(parts: AssistantPart[], piece: Extract<Piece, { kind: 'signature' }>): void {
  const { signature, isRedacted } = piece;
  const last = parts.at(-1);
  const isOpen = last !== undefined && isSignable(last) && last.signature === undefined;
  if (isOpen && isRedacted !== true) parts[parts.length - 1] = { ...last, signature };
  else {
    const redaction = isRedacted === true ? { isRedacted } : {};
    parts.push({ kind: 'reasoning', text: '', signature, ...redaction, at: '' });
  }
}

function isSignable(part: AssistantPart): part is TextPart | ReasoningPart {
  return part.kind === 'text' || part.kind === 'reasoning';
}
