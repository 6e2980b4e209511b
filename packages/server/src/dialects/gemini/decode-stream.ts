/**
 * Reads a streamed answer of Gemini's: each event is a `GenerateContentResponse` with what is new, and usage so far. There
 * is no closing event. The answer is complete once each of its candidates has a reason why it ended, or the prompt was
 * blocked.
 */
import { createHash } from 'node:crypto';
import { mapUsage } from '../../providers/gemini/map-usage.ts';
import type { ChatEvent, JsonObject, StopReason } from '../chat.ts';
import type { SentEvent, StreamDecoder } from '../dialect.ts';
import { isObject } from '../reading.ts';
import { isReason, readFinishReason } from './finish-reasons.ts';
import { parseObject } from './function-json.ts';
import { readLogprobs } from './logprobs.ts';
import { readThoughtSignature } from './thought-signatures.ts';

interface CandidateState {
  calls: number;
  /** What its last piece was of. */
  last: 'text' | 'reasoning' | 'call' | undefined;
  stop: StopReason | undefined;
}

export class GeminiStreamDecoder implements StreamDecoder {
  #hasStarted = false;
  #hasFailed = false;
  #id = '';
  #usage: unknown = undefined;
  readonly #candidates = new Map<number, CandidateState>();

  push({ data }: SentEvent): readonly ChatEvent[] {
    if (this.#hasFailed || data.trim() === '') return [];
    const answer = parseObject(data);
    if (answer === undefined || isObject(answer['error'])) {
      this.#hasFailed = true;
      return [{ kind: 'failed' }];
    }
    const events: ChatEvent[] = [];
    if (!this.#hasStarted) events.push(this.#start(answer));
    if (isObject(answer['usageMetadata'])) this.#usage = answer['usageMetadata'];
    for (const [position, candidate] of objectsOf(answer['candidates']).entries()) {
      this.#readCandidate(candidate, position, events);
    }
    const feedback = answer['promptFeedback'];
    // Nothing was generated.
    if (isObject(feedback) && isReason(feedback['blockReason'])) this.#candidateOf(0).stop ??= 'filter';
    return events;
  }

  finish(): readonly ChatEvent[] {
    if (this.#hasFailed || this.#candidates.size === 0) return [];
    const events: ChatEvent[] = [];
    for (const [choice, { stop }] of this.#candidates) {
      if (stop === undefined) return [];
      events.push({ kind: 'stop', choice, stop: { reason: stop } });
    }
    const reading = mapUsage(this.#usage);
    if ('usage' in reading) events.push({ kind: 'usage', usage: reading.usage });
    return [...events, { kind: 'end' }];
  }

  #start({ responseId, modelVersion }: JsonObject): ChatEvent {
    this.#hasStarted = true;
    this.#id = typeof responseId === 'string' ? responseId : '';
    return { kind: 'start', id: this.#id, model: typeof modelVersion === 'string' ? modelVersion : '' };
  }

  #candidateOf(choice: number): CandidateState {
    const known = this.#candidates.get(choice);
    if (known !== undefined) return known;
    const state: CandidateState = { calls: 0, last: undefined, stop: undefined };
    this.#candidates.set(choice, state);
    return state;
  }

  #readCandidate(candidate: JsonObject, position: number, events: ChatEvent[]): void {
    const { index, content } = candidate;
    // An index of zero may be left out.
    const choice = typeof index === 'number' && Number.isSafeInteger(index) && index >= 0 ? index : position;
    const state = this.#candidateOf(choice);
    for (const part of isObject(content) ? objectsOf(content['parts']) : []) {
      if (isObject(part['functionCall'])) this.#readCall(part, { choice, state, events });
      else readProse(part, { choice, state, events });
    }
    const tokens = readLogprobs(candidate['logprobsResult']);
    if (tokens.length > 0) events.push({ kind: 'logprobs', choice, tokens });
    state.stop = readFinishReason(candidate['finishReason'], state.calls > 0) ?? state.stop;
  }

  #readCall(part: JsonObject, { choice, state, events }: Place): void {
    const call = part['functionCall'];
    if (!isObject(call) || typeof call['name'] !== 'string' || call['name'] === '') return;
    const { name, id, args } = call;
    const json = JSON.stringify(isObject(args) ? args : {});
    const ownId =
      typeof id === 'string' && id !== '' ? id : this.#makeId(`${choice}_${state.calls}`, name + json);
    const signature = signedOf(part)?.signature;
    events.push(
      { kind: 'tool_call', choice, id: ownId, name, ...(signature === undefined ? {} : { signature }) },
      { kind: 'tool_arguments', choice, json },
    );
    state.calls++;
    state.last = 'call';
  }

  /** The same for the same answer, and another in the next one of the conversation. */
  #makeId(position: string, call: string): string {
    const answer = this.#id === '' ? createHash('sha256').update(call).digest('hex') : this.#id;
    return `call_${answer.replaceAll(/[^A-Za-z0-9_-]/g, '').slice(0, ANSWER_CHARACTERS_MAX)}_${position}`;
  }
}

interface Place {
  readonly choice: number;
  readonly state: CandidateState;
  readonly events: ChatEvent[];
}

/** Text or a thought. A signature may come by itself, with an empty text. */
function readProse(part: JsonObject, { choice, state, events }: Place): void {
  const signed = signedOf(part);
  const text = typeof part['text'] === 'string' ? part['text'] : '';
  const kind = part['thought'] === true ? 'reasoning' : 'text';
  if (text === '' && signed === undefined) return;
  const beginsPart = text !== '' || (kind === 'text' && state.last !== 'text');
  if (beginsPart) events.push({ kind, choice, text });
  state.last = kind;
  if (signed === undefined) return;
  const { signature, isRedacted } = signed;
  events.push({ kind: 'signature', choice, signature, ...(isRedacted ? { isRedacted } : {}) });
}

function signedOf(part: JsonObject): ReturnType<typeof readThoughtSignature> {
  const { thoughtSignature } = part;
  const isThere = typeof thoughtSignature === 'string' && thoughtSignature !== '';
  return isThere ? readThoughtSignature(thoughtSignature) : undefined;
}

function objectsOf(list: unknown): readonly JsonObject[] {
  return Array.isArray(list) ? (list as readonly unknown[]).filter(isObject) : [];
}

/** With the rest, an id of at most 40 characters, which is what the most careful client takes. */
const ANSWER_CHARACTERS_MAX = 24;
