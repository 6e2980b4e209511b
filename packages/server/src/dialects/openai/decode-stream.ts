/** Responsible for the chunks of an OpenAI-compatible server's stream, read into the pieces of a neutral answer. */
import type { ReportedUsage } from '../../providers/provider.ts';
import { type Fields, fieldsOf } from '../../providers/strict-usage.ts';
import type { ChatEvent } from '../chat.ts';
import type { SentEvent, StreamDecoder } from '../dialect.ts';
import {
  listOf,
  logprobsOf,
  parseFields,
  type ReasoningField,
  reasoningOf,
  signReasoning,
  stopOf,
  textOf,
  usageOf,
} from './answer-fields.ts';
import { makeCallId } from './call-ids.ts';
import { CHOICES_MAX } from './limits.ts';

export class OpenAiStreamDecoder implements StreamDecoder {
  readonly #choices = new Map<number, ChoiceDecoder>();
  #usage: ReportedUsage | undefined = undefined;
  #id = '';
  #hasStarted = false;
  #isOver = false;

  push({ name, data }: SentEvent): readonly ChatEvent[] {
    const text = data.trim();
    if (this.#isOver || text === '') return [];
    if (text === '[DONE]') return this.#end();
    const chunk = parseFields(text);
    if (chunk === undefined || name === 'error' || isError(chunk)) return this.#fail([]);
    // Servers that report as they go repeat the running total: the last one counts.
    if (fieldsOf(chunk['usage']) !== undefined) this.#usage = usageOf(chunk['usage']);
    const events: ChatEvent[] = [];
    for (const choice of listOf(chunk['choices'])) {
      if (!this.#hasStarted) events.push(this.#start(chunk));
      const decoder = this.#choiceOf(choice['index'] ?? 0);
      if (decoder === undefined || !decoder.read(choice, events)) return this.#fail(events);
    }
    return events;
  }

  /** A stream that has ended without `[DONE]` was cut off, and nothing more is known of it. */
  finish(): readonly ChatEvent[] {
    this.#isOver = true;
    return [];
  }

  /** The first chunks of some servers tell of something else, and have no id yet. */
  #start(chunk: Fields): ChatEvent {
    this.#hasStarted = true;
    this.#id = textOf(chunk['id']);
    return { kind: 'start', id: this.#id, model: textOf(chunk['model']) };
  }

  #choiceOf(index: unknown): ChoiceDecoder | undefined {
    if (!Number.isSafeInteger(index) || Number(index) < 0 || Number(index) >= CHOICES_MAX) return undefined;
    const known = this.#choices.get(Number(index));
    if (known !== undefined) return known;
    const made = new ChoiceDecoder(this.#id, Number(index));
    this.#choices.set(Number(index), made);
    return made;
  }

  #end(): readonly ChatEvent[] {
    const choices = [...this.#choices.values()];
    if (choices.length === 0 || choices.some(({ hasStopped }) => !hasStopped)) return this.#fail([]);
    this.#isOver = true;
    const usage = this.#usage;
    return usage === undefined ? [{ kind: 'end' }] : [{ kind: 'usage', usage }, { kind: 'end' }];
  }

  #fail(before: readonly ChatEvent[]): readonly ChatEvent[] {
    this.#isOver = true;
    return [...before, { kind: 'failed' }];
  }
}

/** vLLM's older errors have no field of their own. */
function isError(chunk: Fields): boolean {
  return (chunk['error'] ?? undefined) !== undefined || chunk['object'] === 'error';
}

class ChoiceDecoder {
  readonly #answerId: string;
  readonly #choice: number;
  /** The field that reasoning is coming in, until something else comes. */
  #reasoning: ReasoningField | undefined;
  /** The ids of the calls that have begun, by their index. */
  readonly #calls = new Map<unknown, string>();
  #open: unknown;
  #callCount = 0;
  #hasRefusal = false;
  #hasStopped = false;

  constructor(answerId: string, choice: number) {
    this.#answerId = answerId;
    this.#choice = choice;
  }

  get hasStopped(): boolean {
    return this.#hasStopped;
  }

  /** False where the answer cannot go on. */
  read(fields: Fields, events: ChatEvent[]): boolean {
    // Some servers say twice that they have stopped.
    if (this.#hasStopped) return true;
    const choice = this.#choice;
    const delta = fieldsOf(fields['delta']) ?? {};
    const reasoning = reasoningOf(delta);
    if (reasoning !== undefined) {
      this.#reasoning ??= reasoning.field;
      events.push({ kind: 'reasoning', choice, text: reasoning.text });
    }
    if (!this.#readSaid(delta, events)) return false;
    for (const call of listOf(delta['tool_calls'])) {
      if (!this.#readCall(call, events)) return false;
    }
    const tokens = logprobsOf(fields);
    if (tokens !== undefined) events.push({ kind: 'logprobs', choice, tokens });
    return textOf(fields['finish_reason']) === '' || this.#stop(fields, events);
  }

  #readSaid(delta: Fields, events: ChatEvent[]): boolean {
    const choice = this.#choice;
    const content = delta['content'] ?? '';
    if (typeof content !== 'string') return false;
    if (content !== '') {
      this.#endReasoning(events);
      events.push({ kind: 'text', choice, text: content });
    }
    const refusal = textOf(delta['refusal']);
    if (refusal !== '') {
      this.#endReasoning(events);
      this.#hasRefusal = true;
      events.push({ kind: 'refusal', choice, text: refusal });
    }
    return true;
  }

  /** A call begins with its name. Pieces of an earlier one, after another has begun, cannot be told in order. */
  #readCall(call: Fields, events: ChatEvent[]): boolean {
    const choice = this.#choice;
    const called = fieldsOf(call['function']) ?? {};
    const name = textOf(called['name']);
    const id = textOf(call['id']);
    const index = call['index'] ?? undefined;
    if (this.#isNew(index, name, id)) {
      this.#endReasoning(events);
      const known = id || makeCallId(this.#answerId, choice, this.#callCount);
      this.#calls.set(index, known);
      this.#open = index;
      this.#callCount += 1;
      events.push({ kind: 'tool_call', choice, id: known, name });
    } else if (index !== undefined && index !== this.#open) {
      return false;
    }
    const json = textOf(called['arguments']);
    if (json !== '') events.push({ kind: 'tool_arguments', choice, json });
    return true;
  }

  /** Some servers give every call the same index, or none; others repeat name and id with every piece. */
  #isNew(index: unknown, name: string, id: string): boolean {
    const known = this.#calls.get(index);
    if (known === undefined) return true;
    return name !== '' && (id === '' ? index === undefined : id !== known);
  }

  #endReasoning(events: ChatEvent[]): void {
    if (this.#reasoning === undefined) return;
    events.push({ kind: 'signature', choice: this.#choice, signature: signReasoning(this.#reasoning) });
    this.#reasoning = undefined;
  }

  #stop(fields: Fields, events: ChatEvent[]): boolean {
    this.#endReasoning(events);
    const stop = stopOf(fields, { hasCalls: this.#callCount > 0, hasRefusal: this.#hasRefusal });
    if (stop === undefined) return false;
    this.#hasStopped = true;
    events.push({ kind: 'stop', choice: this.#choice, stop });
    return true;
  }
}
