/**
 * Test support: a stream of chat completions put together as programs do it that read chunks themselves: what is text grows,
 * calls grow by their index, and of what is neither the last one counts.
 */
import type OpenAI from 'openai';
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionChunk,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageFunctionToolCall,
} from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';

export interface Gathered {
  readonly choices: readonly {
    readonly message: ChatCompletionAssistantMessageParam;
    readonly finish_reason: string | null;
  }[];
  readonly usage: CompletionUsage | undefined;
}

export async function gather(
  client: OpenAI,
  params: ChatCompletionCreateParamsNonStreaming,
): Promise<Gathered> {
  const chunks = await client.chat.completions.create({
    ...params,
    stream: true,
    stream_options: { include_usage: true },
  });
  const fields: Record<string, unknown> = {};
  const calls: ChatCompletionMessageFunctionToolCall[] = [];
  let usage: CompletionUsage | undefined;
  let finish: string | null = null;
  for await (const chunk of chunks) {
    usage = chunk.usage ?? usage;
    for (const { delta, finish_reason: reason } of chunk.choices) {
      addFields(fields, delta);
      for (const piece of delta.tool_calls ?? []) addPiece(calls, piece);
      finish = reason ?? finish;
    }
  }
  const said = { ...fields, role: 'assistant' as const };
  const message = calls.length === 0 ? said : { ...said, tool_calls: calls };
  return { choices: [{ message, finish_reason: finish }], usage };
}

function addFields(fields: Record<string, unknown>, delta: ChatCompletionChunk.Choice.Delta): void {
  for (const [name, value] of Object.entries(delta) as [string, unknown][]) {
    if (name === 'role' || name === 'tool_calls') continue;
    const before = fields[name];
    fields[name] = typeof before === 'string' && typeof value === 'string' ? before + value : value;
  }
}

function addPiece(
  calls: ChatCompletionMessageFunctionToolCall[],
  { index, id = '', function: called = {} }: ChatCompletionChunk.Choice.Delta.ToolCall,
): void {
  const call = calls[index] ?? { id, type: 'function', function: { name: called.name ?? '', arguments: '' } };
  calls[index] = call;
  call.function.arguments += called.arguments ?? '';
}
