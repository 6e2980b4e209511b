/** Responsible for the sandbox's answers in Anthropic's dialect: an echo of the last user message, or a count of tokens. */
import type { LocalAnswer, ModelCall } from '../provider.ts';
import { readMessagesPrompt, type MessagesPrompt, type Refusal } from './read-prompt.ts';
import { countTokens, digestHex, piecesOf, truncateToTokens } from './tokens.ts';

export function answerMessages(call: ModelCall): LocalAnswer {
  const prompt = readMessagesPrompt(call);
  if ('param' in prompt) return refuse(prompt);
  const inputTokens = prompt.inputs.reduce((sum, input) => sum + countTokens(input), 0);
  if (call.endpoint === 'messages.count_tokens') return json(200, { input_tokens: inputTokens });
  const reply = makeReply(prompt, inputTokens);
  return call.streamed ? stream(call, reply) : json(200, wholeMessage(call, reply));
}

interface Reply {
  readonly text: string;
  readonly stopReason: 'end_turn' | 'max_tokens';
  readonly inputTokens: number;
  readonly outputTokens: number;
}

function makeReply(prompt: MessagesPrompt, inputTokens: number): Reply {
  const text = truncateToTokens(prompt.echoed, prompt.outputTokensMax);
  const stopReason = text === prompt.echoed ? 'end_turn' : 'max_tokens';
  return { text, stopReason, inputTokens, outputTokens: countTokens(text) };
}

function wholeMessage(call: ModelCall, reply: Reply): object {
  return {
    ...envelope(call),
    content: [{ type: 'text', text: reply.text, citations: null }],
    stop_reason: reply.stopReason,
    usage: usageOf(reply, reply.outputTokens),
  };
}

/** As Anthropic does, tells the input at the start, and the running totals at the end. */
function stream(call: ModelCall, reply: Reply): LocalAnswer {
  const index = 0;
  const started = { ...envelope(call), content: [], stop_reason: null, usage: usageOf(reply, 0) };
  const events = [
    { type: 'message_start', message: started },
    { type: 'content_block_start', index, content_block: { type: 'text', text: '', citations: null } },
    { type: 'ping' },
    ...piecesOf(reply.text).map((text) => ({
      type: 'content_block_delta',
      index,
      delta: { type: 'text_delta', text },
    })),
    { type: 'content_block_stop', index },
    {
      type: 'message_delta',
      delta: { stop_reason: reply.stopReason, stop_sequence: null },
      usage: { input_tokens: reply.inputTokens, ...NO_CACHE, output_tokens: reply.outputTokens },
    },
    { type: 'message_stop' },
  ];
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    chunks: events.map((event) => Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)),
  };
}

function envelope(call: ModelCall): object {
  const id = `msg_sandbox${digestHex(call.body).slice(0, 24)}`;
  return { id, type: 'message', role: 'assistant', model: call.upstreamModel, stop_sequence: null };
}

const NO_CACHE = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

function usageOf(reply: Reply, outputTokens: number): object {
  return {
    input_tokens: reply.inputTokens,
    ...NO_CACHE,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: outputTokens,
    service_tier: 'standard',
  };
}

/** The message begins with the field's name. */
function refuse({ message }: Refusal): LocalAnswer {
  return json(400, { type: 'error', error: { type: 'invalid_request_error', message }, request_id: null });
}

function json(status: number, body: object): LocalAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    chunks: [Buffer.from(JSON.stringify(body))],
  };
}
