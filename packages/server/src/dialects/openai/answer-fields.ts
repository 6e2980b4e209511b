/**
 * Responsible for the fields that a whole answer of an OpenAI-compatible server and the chunks of a streamed one have in
 * common. What is missing or of another type counts as absent: an answer is read as far as it goes.
 */
import { mapUsage } from '../../providers/openai-compatible/map-usage.ts';
import type { ReportedUsage } from '../../providers/provider.ts';
import { type Fields, fieldsOf } from '../../providers/strict-usage.ts';
import type { Signature, Stop, TokenLogprob } from '../chat.ts';
import { given } from './given.ts';

export function parseFields(json: string): Fields | undefined {
  try {
    return fieldsOf(JSON.parse(json));
  } catch {
    // A provider may send anything.
    return undefined;
  }
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function listOf(value: unknown): readonly Fields[] {
  if (!Array.isArray(value)) return [];
  return value.map((item) => fieldsOf(item)).filter((fields) => fields !== undefined);
}

/** DeepSeek's name for it, and the one that vLLM, Ollama and others use; some send the same under both. */
const REASONING_FIELDS = ['reasoning_content', 'reasoning'] as const;

export type ReasoningField = (typeof REASONING_FIELDS)[number];

export function isReasoningField(name: string): name is ReasoningField {
  return REASONING_FIELDS.some((field) => field === name);
}

export function reasoningOf(
  said: Fields,
): { readonly field: ReasoningField; readonly text: string } | undefined {
  const field = REASONING_FIELDS.find((name) => textOf(said[name]) !== '');
  return field === undefined ? undefined : { field, text: textOf(said[field]) };
}

/**
 * Such servers sign nothing. The name of the field stands in, so that their reasoning is known again among that of other
 * vendors, and goes back where it came from.
 */
export function signReasoning(field: ReasoningField): Signature {
  return { by: 'openai', value: field };
}

export interface Said {
  readonly hasCalls: boolean;
  readonly hasRefusal: boolean;
}

/** `undefined` where the server says that it broke off. */
export function stopOf(choice: Fields, { hasCalls, hasRefusal }: Said): Stop | undefined {
  const word = textOf(choice['finish_reason']);
  if (BROKEN_OFF.has(word)) return undefined;
  if (word === 'length') return { reason: 'length' };
  if (word === 'content_filter') return { reason: 'filter' };
  // A call that the client has forced ends in `stop` at OpenAI, and any at some servers.
  if (hasCalls || word === 'tool_calls' || word === 'function_call') return { reason: 'tool_calls' };
  if (hasRefusal) return { reason: 'refusal' };
  // vLLM's own field: which sequence it was, or the number of a token.
  const sequence = choice['stop_reason'];
  return typeof sequence === 'string' ? { reason: 'stop_sequence', sequence } : { reason: 'end' };
}

/** DeepSeek's word for it, and those of vLLM. */
const BROKEN_OFF: ReadonlySet<string> = new Set(['insufficient_system_resource', 'abort', 'error']);

/** `undefined` where there are none. The tokens of a refusal have a list of their own. */
export function logprobsOf(choice: Fields): readonly TokenLogprob[] | undefined {
  const logprobs = fieldsOf(choice['logprobs']);
  if (logprobs === undefined) return undefined;
  const tokens = [...listOf(logprobs['content']), ...listOf(logprobs['refusal'])];
  return tokens.length === 0 ? undefined : tokens.map((token) => readToken(token));
}

function readToken(token: Fields): TokenLogprob {
  const alternatives = listOf(token['top_logprobs']).map((each) => readAlternative(each));
  return { ...readAlternative(token), alternatives };
}

function readAlternative(token: Fields): Omit<TokenLogprob, 'alternatives'> {
  const { logprob, bytes: list } = token;
  const bytes = Array.isArray(list) ? list.filter((byte) => typeof byte === 'number') : undefined;
  return {
    token: textOf(token['token']),
    logprob: typeof logprob === 'number' ? logprob : 0,
    ...given({ bytes }),
  };
}

export function usageOf(usage: unknown): ReportedUsage | undefined {
  const reading = mapUsage('chat.completions', usage);
  return 'usage' in reading ? reading.usage : undefined;
}
