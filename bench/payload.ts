/** What is sent and what comes back: one chat call, one completion of about 1 KB, one stream of paced events. */

export const STREAM_EVENTS = 60;
export const STREAM_GAP_MS = 20;

export const PROMPT_TOKENS = 120;
export const COMPLETION_TOKENS = 190;
/** At 1 and 2 dollars a million tokens, in and out: 0.0005 dollars a call. */
export const COST_NANOS_PER_CALL = PROMPT_TOKENS * 1000 + COMPLETION_TOKENS * 2000;

const USAGE = {
  prompt_tokens: PROMPT_TOKENS,
  completion_tokens: COMPLETION_TOKENS,
  total_tokens: PROMPT_TOKENS + COMPLETION_TOKENS,
};
const ANSWER = (
  'A gateway adds a second trust boundary, so treat it as one. Give every program its own key, keep the vendor key ' +
  'in one place, put a cap on money next to the cap on rate, and write down each call before it leaves. '
).repeat(3);

/** The body of a call: about 500 bytes, a typical short prompt. */
export function renderChatRequest(model: string, stream = false): string {
  return JSON.stringify({
    model,
    messages: [
      { role: 'system', content: 'You are a careful engineer. Answer in plain words and keep it short.' },
      {
        role: 'user',
        content: 'What should I look at first when I put a gateway in front of a model? '.repeat(4).trim(),
      },
    ],
    max_tokens: 256,
    temperature: 0.2,
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  });
}

/** The body of a call of 1 KB. */
export function renderKilobyteRequest(model: string): string {
  const padded = (text: string) =>
    JSON.stringify({ model, messages: [{ role: 'user', content: text }], max_tokens: 256 });
  return padded('a'.repeat(1024 - padded('').length));
}

/** The mock provider's answer: about 1 KB. */
export function renderChatCompletion(): string {
  return JSON.stringify({
    id: 'chatcmpl-bench0000000000000000000',
    object: 'chat.completion',
    created: 1_790_000_000,
    model: 'bench-model',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: ANSWER, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: USAGE,
    system_fingerprint: 'fp_bench',
  });
}

/** The marker that event `index` of a stream carries, by which the client knows that none is missing. */
export function renderEventMarker(index: number): string {
  return `"content":"t${index} "`;
}

/** The stream: `STREAM_EVENTS` content chunks, then the usage chunk; each ends in a blank line. `[DONE]` is not included. */
export function renderStreamEvents(): { content: readonly string[]; usage: string } {
  const render = (choices: readonly object[], usage: object | null): string =>
    `data: ${JSON.stringify({
      id: 'chatcmpl-bench0000000000000000000',
      object: 'chat.completion.chunk',
      created: 1_790_000_000,
      model: 'bench-stream',
      choices,
      usage,
    })}\n\n`;
  const content = Array.from({ length: STREAM_EVENTS }, (_, index) =>
    render(
      [
        {
          index: 0,
          delta: { content: `t${index} ` },
          finish_reason: index === STREAM_EVENTS - 1 ? 'stop' : null,
        },
      ],
      null,
    ),
  );
  return { content, usage: render([], USAGE) };
}
