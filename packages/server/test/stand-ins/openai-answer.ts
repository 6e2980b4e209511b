/** Test support: answers of chat completions, whole and streamed (`ChatCompletion`, `ChatCompletionChunk` of `openai`). */
import type { Flavour } from './openai.ts';
import type { Fields } from './strict.ts';
import { type Saying, halves } from './vendor.ts';

export function writeChat(body: Fields, saying: Saying, flavour: Flavour): Fields {
  const calls = callsOf(saying);
  const message = {
    role: 'assistant',
    content: saying.text ?? null,
    refusal: null,
    annotations: [],
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...reasoningOf(saying.reasoning, flavour),
  };
  return {
    ...envelopeOf(body, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, ...endOf(saying, flavour) }],
    usage: flavour.writeUsage(saying.tokens),
  };
}

export function writeChatStream(body: Fields, saying: Saying, flavour: Flavour): string {
  const options = body['stream_options'] as { readonly include_usage?: boolean } | undefined;
  const wantsUsage = options?.include_usage === true;
  const usage = flavour.writeUsage(saying.tokens);
  const head = { ...envelopeOf(body, 'chat.completion.chunk'), ...(wantsUsage ? { usage: null } : {}) };
  const chunk = (delta: object, more: object = { finish_reason: null }) =>
    sse({ ...head, choices: [{ index: 0, delta, logprobs: null, ...more }] });
  const chunks = [chunk({ role: 'assistant', content: '', refusal: null })];
  for (const piece of halves(saying.reasoning ?? '')) {
    if (flavour.reasoningField !== undefined) chunks.push(chunk(reasoningOf(piece, flavour)));
  }
  for (const content of halves(saying.text ?? '')) chunks.push(chunk({ content }));
  if (saying.breaksOff === true) {
    const error = { message: 'The server had an error.', type: 'server_error', param: null, code: null };
    return `${chunks.slice(0, -1).join('')}${sse({ error })}`;
  }
  for (const [index, { id, type, function: called }] of callsOf(saying).entries()) {
    const begun = { index, id, type, function: { name: called.name, arguments: '' } };
    chunks.push(chunk({ tool_calls: [begun] }));
    for (const piece of halves(called.arguments)) {
      chunks.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
  }
  const last = { ...head, choices: [{ index: 0, delta: {}, logprobs: null, ...endOf(saying, flavour) }] };
  if (flavour.usageOnLastChoice) chunks.push(sse({ ...last, usage }));
  else chunks.push(sse(last), ...(wantsUsage ? [sse({ ...head, choices: [], usage })] : []));
  return `${chunks.join('')}data: [DONE]\n\n`;
}

function envelopeOf(body: Fields, kind: string): Fields {
  return { id: 'chatcmpl-stand-in', object: kind, created: 1_700_000_000, model: body['model'] };
}

function reasoningOf(reasoning: string | undefined, { reasoningField }: Flavour): Fields {
  return reasoningField === undefined || reasoning === undefined ? {} : { [reasoningField]: reasoning };
}

function callsOf({ calls = [] }: Saying) {
  return calls.map(({ name, args }, index) => ({
    id: `call_${index + 1}`,
    type: 'function',
    function: { name, arguments: JSON.stringify(args) },
  }));
}

function endOf({ stop, calls }: Saying, { tellsSequence }: Flavour): Fields {
  if (stop === 'length') return { finish_reason: 'length' };
  if (calls !== undefined) return { finish_reason: 'tool_calls' };
  const told = tellsSequence && stop !== undefined ? { stop_reason: stop.sequence } : {};
  return { finish_reason: 'stop', ...told };
}

function sse(event: object): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
