/** Test support: Anthropic's answers, whole and streamed (`Message`, `RawMessageStreamEvent` of `@anthropic-ai/sdk`). */
import type { Fields } from './strict.ts';
import { type Saying, type Tokens, halves } from './vendor.ts';

/** Of all thinking. */
export const SIGNATURE = 'c2lnbmVkIGJ5IENsYXVkZQ==';

export function writeMessage(body: Fields, saying: Saying): Fields {
  return {
    ...envelopeOf(body),
    content: blocksOf(saying).map(({ whole }) => whole),
    ...endOf(saying),
    usage: usageOf(saying.tokens),
  };
}

export function writeMessageStream(body: Fields, saying: Saying): string {
  const { output_tokens: output, output_tokens_details: details, ...atStart } = usageOf(saying.tokens);
  const message = {
    ...envelopeOf(body),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
  };
  const events = [
    sse('message_start', { message: { ...message, usage: { ...atStart, output_tokens: 1 } } }),
    sse('ping', {}),
  ];
  for (const [index, { begin, deltas }] of blocksOf(saying).entries()) {
    events.push(sse('content_block_start', { index, content_block: begin }));
    events.push(...deltas.map((delta) => sse('content_block_delta', { index, delta })));
    if (saying.breaksOff === true) {
      const error = { type: 'overloaded_error', message: 'Overloaded' };
      return `${events.slice(0, -1).join('')}${sse('error', { error })}`;
    }
    events.push(sse('content_block_stop', { index }));
  }
  const usage = { output_tokens: output, output_tokens_details: details };
  events.push(sse('message_delta', { delta: { container: null, ...endOf(saying) }, usage }));
  return `${events.join('')}${sse('message_stop', {})}`;
}

interface Block {
  readonly whole: Fields;
  readonly begin: Fields;
  readonly deltas: readonly Fields[];
}

function blocksOf({ reasoning, text, calls = [] }: Saying): readonly Block[] {
  const blocks: Block[] = [];
  if (reasoning !== undefined) {
    const block = { type: 'thinking', thinking: reasoning, signature: SIGNATURE };
    const deltas = halves(reasoning).map((thinking) => ({ type: 'thinking_delta', thinking }));
    blocks.push({
      whole: block,
      begin: { ...block, thinking: '', signature: '' },
      deltas: [...deltas, { type: 'signature_delta', signature: SIGNATURE }],
    });
  }
  if (text !== undefined) {
    const block = { type: 'text', text, citations: null };
    const deltas = halves(text).map((piece) => ({ type: 'text_delta', text: piece }));
    blocks.push({ whole: block, begin: { ...block, text: '' }, deltas });
  }
  for (const [index, { name, args }] of calls.entries()) {
    const block = {
      type: 'tool_use',
      id: `toolu_${index + 1}`,
      name,
      input: args,
      caller: { type: 'direct' },
    };
    const pieces = ['', ...halves(JSON.stringify(args))];
    const deltas = pieces.map((json) => ({ type: 'input_json_delta', partial_json: json }));
    blocks.push({ whole: block, begin: { ...block, input: {} }, deltas });
  }
  return blocks;
}

function envelopeOf(body: Fields): Fields {
  return {
    id: 'msg_stand_in',
    type: 'message',
    role: 'assistant',
    model: body['model'],
    container: null,
    diagnostics: null,
  };
}

function endOf({ stop, calls }: Saying): Fields {
  const end = {
    stop_reason: calls === undefined ? 'end_turn' : 'tool_use',
    stop_sequence: null,
    stop_details: null,
  };
  if (stop === undefined) return end;
  return stop === 'length'
    ? { ...end, stop_reason: 'max_tokens' }
    : { ...end, stop_reason: 'stop_sequence', stop_sequence: stop.sequence };
}

function usageOf({ input, cached, written, output, reasoning }: Tokens): Fields {
  return {
    input_tokens: input,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: cached,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
    output_tokens: output + reasoning,
    output_tokens_details: { thinking_tokens: reasoning },
    server_tool_use: null,
    service_tier: 'standard',
    inference_geo: 'not_available',
    speed: 'standard',
  };
}

function sse(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
