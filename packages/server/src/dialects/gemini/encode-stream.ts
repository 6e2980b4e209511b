/**
 * Writes an answer as Gemini streams it: each event is a `GenerateContentResponse` with what is new. Calls are whole in one
 * event, and the last event has the reasons why the candidates ended and the usage. Google's client keeps a conversation
 * only if the first candidate of every event has a part, so that each has one, if with an empty text.
 */
import type { ChatEvent, JsonObject, Signature, Stop, ToolCallPart } from '../chat.ts';
import type { ReportedUsage } from '../../providers/provider.ts';
import type { AnswerContext, StreamEncoder } from '../dialect.ts';
import { MALFORMED_CALL, writeFinishReason } from './finish-reasons.ts';
import { writeLogprobs } from './logprobs.ts';
import { writeThoughtSignature } from './thought-signatures.ts';
import { writeUsage } from './usage-metadata.ts';
import { writePart } from './write-answer.ts';
import { writeText, writeThought } from './write-parts.ts';

interface CandidateState {
  /** A call whose arguments are still coming. */
  call: ToolCallPart | undefined;
  isInText: boolean;
  isMalformed: boolean;
  stop: Stop | undefined;
}

export class GeminiStreamEncoder implements StreamEncoder {
  #id: string;
  #model: string;
  #usage: ReportedUsage | undefined;
  readonly #candidates = new Map<number, CandidateState>();

  constructor(context: AnswerContext) {
    this.#id = context.requestId;
    this.#model = context.model;
  }

  push(event: ChatEvent): string {
    if ('choice' in event) return this.#pushPiece(event);
    switch (event.kind) {
      case 'start':
        if (event.id !== '') this.#id = event.id;
        if (event.model !== '') this.#model = event.model;
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'failed':
        return '';
      case 'end':
        return this.#end();
    }
  }

  #pushPiece(event: Piece): string {
    const { choice } = event;
    const state = this.#candidateOf(choice);
    if (event.kind === 'tool_arguments') {
      const { call } = state;
      if (call !== undefined) state.call = { ...call, argumentsJson: call.argumentsJson + event.json };
      return '';
    }
    if (event.kind === 'signature' && state.call !== undefined && state.call.signature === undefined) {
      if (event.isRedacted !== true) {
        state.call = { ...state.call, signature: event.signature };
        return '';
      }
    }
    const call = this.#endCall(choice, state);
    switch (event.kind) {
      case 'text':
      case 'refusal':
        state.isInText = true;
        return call + this.#write(choice, writeText(event.text, undefined));
      case 'reasoning':
        state.isInText = false;
        return call + this.#write(choice, writeThought(event.text, undefined));
      case 'signature':
        return call + this.#write(choice, writeSignature(event, state.isInText));
      case 'tool_call':
        state.isInText = false;
        state.call = toCall(event);
        return call;
      case 'logprobs':
        return call + this.#write(choice, EMPTY, { logprobsResult: writeLogprobs(event.tokens) });
      case 'stop':
        state.stop = event.stop;
        return call;
    }
  }

  #endCall(choice: number, state: CandidateState): string {
    if (state.call === undefined) return '';
    const part = writePart(state.call);
    state.call = undefined;
    if (part === undefined) state.isMalformed = true;
    return part === undefined ? '' : this.#write(choice, part);
  }

  #end(): string {
    let calls = '';
    const candidates: JsonObject[] = [];
    for (const [index, state] of this.#candidates) {
      calls += this.#endCall(index, state);
      const { stop, isMalformed } = state;
      if (stop === undefined) continue;
      const finishReason = isMalformed ? MALFORMED_CALL : writeFinishReason(stop.reason);
      candidates.push({ content: { parts: [EMPTY], role: 'model' }, finishReason, index });
    }
    const usage = this.#usage === undefined ? {} : { usageMetadata: writeUsage(this.#usage) };
    return calls + this.#writeEvent({ candidates, ...usage });
  }

  #write(index: number, part: JsonObject, more: JsonObject = {}): string {
    return this.#writeEvent({ candidates: [{ content: { parts: [part], role: 'model' }, index, ...more }] });
  }

  #writeEvent(answer: JsonObject): string {
    const json = JSON.stringify({ ...answer, modelVersion: this.#model, responseId: this.#id });
    return `data: ${json}\r\n\r\n`;
  }

  #candidateOf(choice: number): CandidateState {
    const known = this.#candidates.get(choice);
    if (known !== undefined) return known;
    const state: CandidateState = { call: undefined, isInText: false, isMalformed: false, stop: undefined };
    this.#candidates.set(choice, state);
    return state;
  }
}

type Piece = Extract<ChatEvent, { readonly choice: number }>;

/** By itself, since what it signs has been sent. It is reasoning's unless text was last. */
function writeSignature(
  { signature, isRedacted = false }: { readonly signature: Signature; readonly isRedacted?: boolean },
  isInText: boolean,
): JsonObject {
  const written = writeThoughtSignature(signature, isRedacted);
  return isInText && !isRedacted ? writeText('', written) : writeThought('', written);
}

function toCall({ id, name, signature }: Extract<Piece, { kind: 'tool_call' }>): ToolCallPart {
  const call: ToolCallPart = { kind: 'tool_call', id, name, argumentsJson: '', at: '' };
  return signature === undefined ? call : { ...call, signature };
}

const EMPTY: JsonObject = { text: '' };
