/** Responsible for a whole answer of an OpenAI-compatible server, read into the neutral form. */
import { type Fields, fieldsOf } from '../../providers/strict-usage.ts';
import type { AssistantPart, ChatAnswer, Choice, ToolCallPart } from '../chat.ts';
import {
  listOf,
  logprobsOf,
  parseFields,
  reasoningOf,
  signReasoning,
  stopOf,
  textOf,
  usageOf,
} from './answer-fields.ts';
import { makeCallId } from './call-ids.ts';
import { given } from './given.ts';

/** `undefined` for what is not an answer, for one that broke off, and for one whose content is no text. Never throws. */
export function readAnswer(body: Buffer): ChatAnswer | undefined {
  const answer = parseFields(body.toString('utf8'));
  if (answer === undefined) return undefined;
  const id = textOf(answer['id']);
  const choices = listOf(answer['choices']).map((choice, position) => readChoice(choice, { id, position }));
  const whole = choices.filter((choice) => choice !== undefined);
  if (whole.length === 0 || whole.length < choices.length) return undefined;
  return { id, model: textOf(answer['model']), choices: whole, usage: usageOf(answer['usage']) };
}

interface Place {
  /** Of the answer. */
  readonly id: string;
  readonly position: number;
}

function readChoice(choice: Fields, place: Place): Choice | undefined {
  const message = fieldsOf(choice['message']);
  if (message === undefined) return undefined;
  const content = message['content'] ?? '';
  if (typeof content !== 'string') return undefined;
  const parts: AssistantPart[] = [];
  const reasoning = reasoningOf(message);
  if (reasoning !== undefined) {
    const { text, field } = reasoning;
    parts.push({ kind: 'reasoning', at: '', text, signature: signReasoning(field) });
  }
  if (content !== '') parts.push({ kind: 'text', at: '', text: content });
  const refusal = textOf(message['refusal']);
  if (refusal !== '') parts.push({ kind: 'refusal', at: '', text: refusal });
  const calls = listOf(message['tool_calls']).map((call, index) => readCall(call, { ...place, index }));
  const stop = stopOf(choice, { hasCalls: calls.length > 0, hasRefusal: refusal !== '' });
  if (stop === undefined) return undefined;
  return { parts: [...parts, ...calls], stop, ...given({ logprobs: logprobsOf(choice) }) };
}

function readCall(call: Fields, { id, position, index }: Place & { readonly index: number }): ToolCallPart {
  const called = fieldsOf(call['function']) ?? {};
  const json = textOf(called['arguments']);
  return {
    kind: 'tool_call',
    at: '',
    id: textOf(call['id']) || makeCallId(id, position, index),
    name: textOf(called['name']),
    argumentsJson: json.trim() === '' ? '{}' : json,
  };
}
