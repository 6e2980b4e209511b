/** Test support: answers of the Responses API, whole and streamed (`Response`, `ResponseStreamEvent` of `openai`). */
import type { Fields } from './strict.ts';
import { type Saying, type Tokens, halves } from './vendor.ts';

/** Of all reasoning. */
export const SIGNATURE = 'gAAAAABzaWduZWQgYnkgT3BlbkFJ';

export function writeResponse(body: Fields, saying: Saying): Fields {
  const isCut = saying.stop === 'length';
  return {
    ...headOf(body),
    status: isCut ? 'incomplete' : 'completed',
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: itemsOf(body, saying).map(({ item }) => item),
    usage: usageOf(saying.tokens),
  };
}

export function writeResponseStream(body: Fields, saying: Saying): string {
  const begun = { ...headOf(body), status: 'in_progress', incomplete_details: null, output: [], usage: null };
  const events: Fields[] = [
    { type: 'response.created', response: begun },
    { type: 'response.in_progress', response: begun },
  ];
  for (const [output_index, { item, empty, events: within }] of itemsOf(body, saying).entries()) {
    events.push({ type: 'response.output_item.added', output_index, item: empty });
    for (const event of within) events.push({ ...event, item_id: item['id'], output_index });
    events.push({ type: 'response.output_item.done', output_index, item });
  }
  if (saying.breaksOff === true) {
    const error = { type: 'error', code: 'server_error', message: 'The server had an error.', param: null };
    return write([...events.slice(0, 5), error]);
  }
  const response = writeResponse(body, saying);
  return write([...events, { type: `response.${String(response['status'])}`, response }]);
}

function write(events: readonly Fields[]): string {
  return events
    .map((event, sequence_number) => {
      const data = JSON.stringify({ ...event, sequence_number });
      return `event: ${String(event['type'])}\ndata: ${data}\n\n`;
    })
    .join('');
}

interface Item {
  readonly item: Fields;
  /** As it is announced. */
  readonly empty: Fields;
  readonly events: readonly Fields[];
}

function itemsOf(body: Fields, { reasoning, text, calls = [] }: Saying): readonly Item[] {
  const items: Item[] = [];
  if (reasoning !== undefined) items.push(reasoningItem(body, reasoning));
  if (text !== undefined) items.push(messageItem(text));
  for (const [index, { name, args }] of calls.entries()) {
    const json = JSON.stringify(args);
    const call = { id: `fc_${index}`, type: 'function_call', call_id: `call_${index}`, name };
    const deltas = halves(json).map((delta) => ({ type: 'response.function_call_arguments.delta', delta }));
    items.push({
      item: { ...call, arguments: json, status: 'completed' },
      empty: { ...call, arguments: '', status: 'in_progress' },
      events: [...deltas, { type: 'response.function_call_arguments.done', name, arguments: json }],
    });
  }
  return items;
}

/** The summary is shown where it was asked for, and so is the encrypted content. */
function reasoningItem(body: Fields, text: string): Item {
  const { summary } = (body['reasoning'] ?? {}) as { readonly summary?: string };
  const include = (body['include'] ?? []) as readonly string[];
  const isSigned = include.includes('reasoning.encrypted_content');
  const item = { id: 'rs_1', type: 'reasoning', summary: [] };
  const signed = isSigned ? { encrypted_content: SIGNATURE } : {};
  if (summary === undefined) return { item: { ...item, ...signed }, empty: item, events: [] };
  const part = { type: 'summary_text', text };
  const at = { summary_index: 0 };
  return {
    item: { ...item, summary: [part], ...signed },
    empty: item,
    events: [
      { type: 'response.reasoning_summary_part.added', ...at, part: { ...part, text: '' } },
      ...halves(text).map((delta) => ({ type: 'response.reasoning_summary_text.delta', ...at, delta })),
      { type: 'response.reasoning_summary_text.done', ...at, text },
      { type: 'response.reasoning_summary_part.done', ...at, part },
    ],
  };
}

function messageItem(text: string): Item {
  const message = { id: 'msg_1', type: 'message', role: 'assistant' };
  const part = { type: 'output_text', text, annotations: [], logprobs: [] };
  const at = { content_index: 0 };
  return {
    item: { ...message, status: 'completed', content: [part] },
    empty: { ...message, status: 'in_progress', content: [] },
    events: [
      { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
      ...halves(text).map((delta) => ({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })),
      { type: 'response.output_text.done', ...at, text, logprobs: [] },
      { type: 'response.content_part.done', ...at, part },
    ],
  };
}

function headOf(body: Fields): Fields {
  return {
    id: 'resp_stand_in',
    object: 'response',
    created_at: 1_700_000_000,
    model: body['model'],
    error: null,
    instructions: body['instructions'] ?? null,
    metadata: {},
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    service_tier: 'default',
    store: false,
  };
}

function usageOf({ input, cached, written, output, reasoning }: Tokens): Fields {
  const [inputTokens, outputTokens] = [input + cached + written, output + reasoning];
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: inputTokens + outputTokens,
  };
}
