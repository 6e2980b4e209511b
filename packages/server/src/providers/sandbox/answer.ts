/** Responsible for the sandbox's answers: an echo of the last user message, or an embedding made from a hash. */
import type { LocalAnswer, ModelCall } from '../provider.ts';
import { embed } from './embed.ts';
import { readPrompt, type Prompt, type Refusal } from './read-prompt.ts';
import { countTokens, digestHex, piecesOf, truncateToTokens } from './tokens.ts';

/** The same for every answer, so that equal calls have equal answers. */
const CREATED_SECONDS = 1_700_000_000;

export function answer(call: ModelCall): LocalAnswer {
  const prompt = readPrompt(call.endpoint, call.scan);
  if ('param' in prompt) return refuse(prompt);
  if (call.endpoint === 'embeddings') return json(200, embed(call.upstreamModel, prompt));
  const reply = makeReply(call, prompt);
  return call.streamed ? stream(call, prompt, reply) : json(200, wholeAnswer(call, prompt, reply));
}

interface Reply {
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly usage: Readonly<Record<string, unknown>>;
}

function makeReply(call: ModelCall, prompt: Prompt): Reply {
  const text = truncateToTokens(prompt.echoed, prompt.outputTokensMax ?? call.outputTokensCap);
  const promptTokens = prompt.inputs.reduce((sum, input) => sum + countTokens(input), 0);
  const completionTokens = countTokens(text) * prompt.choices;
  return {
    text,
    finishReason: text === prompt.echoed ? 'stop' : 'length',
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  };
}

function wholeAnswer(call: ModelCall, prompt: Prompt, reply: Reply): object {
  const isChat = call.endpoint === 'chat.completions';
  const finished = { logprobs: null, finish_reason: reply.finishReason };
  const choices = indexes(prompt.choices).map((index) =>
    isChat
      ? { index, message: { role: 'assistant', content: reply.text, refusal: null }, ...finished }
      : { index, text: reply.text, ...finished },
  );
  return { ...envelope(call, isChat ? 'chat.completion' : 'text_completion'), choices, usage: reply.usage };
}

function stream(call: ModelCall, prompt: Prompt, reply: Reply): LocalAnswer {
  const isChat = call.endpoint === 'chat.completions';
  const shared = envelope(call, isChat ? 'chat.completion.chunk' : 'text_completion');
  const emptyUsage = call.wantsUsageChunk ? { usage: null } : {};
  const events: object[] = [];
  const say = (index: number, content: object, finishReason: string | null) => {
    const choice = { index, ...content, logprobs: null, finish_reason: finishReason };
    events.push({ ...shared, choices: [choice], ...emptyUsage });
  };
  for (const index of indexes(prompt.choices)) {
    if (isChat) say(index, { delta: { role: 'assistant', content: '' } }, null);
    for (const piece of piecesOf(reply.text)) {
      say(index, isChat ? { delta: { content: piece } } : { text: piece }, null);
    }
    say(index, isChat ? { delta: {} } : { text: '' }, reply.finishReason);
  }
  events.push({ ...shared, choices: [], usage: reply.usage });
  const chunks = events.map((event) => Buffer.from(`data: ${JSON.stringify(event)}\n\n`));
  chunks.push(Buffer.from('data: [DONE]\n\n'));
  return { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' }, chunks };
}

function envelope(call: ModelCall, object: string): object {
  const prefix = call.endpoint === 'completions' ? 'cmpl' : 'chatcmpl';
  const id = `${prefix}-sandbox${digestHex(call.body).slice(0, 24)}`;
  return { id, object, created: CREATED_SECONDS, model: call.upstreamModel };
}

function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function refuse(refusal: Refusal): LocalAnswer {
  const { message, param } = refusal;
  return json(400, { error: { message, type: 'invalid_request_error', param, code: null } });
}

function json(status: number, body: object): LocalAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    chunks: [Buffer.from(JSON.stringify(body))],
  };
}
