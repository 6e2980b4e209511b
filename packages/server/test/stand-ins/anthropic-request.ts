/** Test support: the fields of a request for a message (`MessageCreateParams` of `@anthropic-ai/sdk`). */
import {
  type Check,
  any,
  either,
  filled,
  flag,
  integerFrom,
  listOf,
  matching,
  numberFrom,
  object,
  oneOf,
  orNull,
  record,
  refuse,
  tagged,
  text,
} from './strict.ts';

const TOOL_NAME = matching(/^[a-zA-Z0-9_-]{1,128}$/);
const TOOL_ID = matching(/^[a-zA-Z0-9_-]+$/);
const cache = { cache_control: orNull(record({ type: oneOf('ephemeral') }, { ttl: oneOf('5m', '1h') })) };

const textBlock = record(
  { type: any, text: filled },
  { ...cache, citations: orNull(listOf(any, { max: 0 })) },
);
const image = record(
  {
    type: any,
    source: tagged('type', {
      base64: record({
        type: any,
        media_type: oneOf('image/jpeg', 'image/png', 'image/gif', 'image/webp'),
        data: matching(/^[A-Za-z0-9+/]+={0,2}$/),
      }),
      url: record({ type: any, url: matching(/^https:\/\//) }),
    }),
  },
  cache,
);
const toolUse = record(
  { type: any, id: TOOL_ID, name: TOOL_NAME, input: object },
  { ...cache, caller: record({ type: oneOf('direct') }) },
);
const toolResult = record(
  { type: any, tool_use_id: TOOL_ID },
  {
    ...cache,
    content: either(text, listOf(tagged('type', { text: textBlock, image }))),
    is_error: flag,
  },
);
const thinkingBlock = record({ type: any, thinking: text, signature: filled });
const redactedBlock = record({ type: any, data: filled });

const userBlock = tagged('type', { text: textBlock, image, tool_result: toolResult });
const assistantBlock = tagged('type', {
  text: textBlock,
  thinking: thinkingBlock,
  redacted_thinking: redactedBlock,
  tool_use: toolUse,
});
const message = tagged('role', {
  user: record({ role: any, content: either(filled, listOf(userBlock, { min: 1 })) }),
  assistant: record({ role: any, content: either(filled, listOf(assistantBlock, { min: 1 })) }),
});

const tool = record(
  { name: TOOL_NAME, input_schema: toolSchema },
  {
    ...cache,
    type: oneOf('custom'),
    description: text,
    strict: flag,
    eager_input_streaming: flag,
    allowed_callers: listOf(text),
    input_examples: listOf(object),
    defer_loading: flag,
  },
);
const display = { display: orNull(oneOf('summarized', 'omitted')) };

const shared: Readonly<Record<string, Check<unknown>>> = {
  ...cache,
  system: either(text, listOf(tagged('type', { text: textBlock }))),
  output_config: record(
    {},
    {
      effort: orNull(oneOf('low', 'medium', 'high', 'xhigh', 'max')),
      format: orNull(record({ type: oneOf('json_schema'), schema: object })),
    },
  ),
  thinking: tagged('type', {
    enabled: record({ type: any, budget_tokens: integerFrom(1_024) }, display),
    adaptive: record({ type: any }, display),
    disabled: record({ type: any }),
  }),
  tool_choice: tagged('type', {
    auto: record({ type: any }, { disable_parallel_tool_use: flag }),
    any: record({ type: any }, { disable_parallel_tool_use: flag }),
    tool: record({ type: any, name: TOOL_NAME }, { disable_parallel_tool_use: flag }),
    none: record({ type: any }),
  }),
  tools: listOf(tool),
};

const required = { model: filled, messages: listOf(message, { min: 1 }) };

export const messageBody: Check<unknown> = record(
  { ...required, max_tokens: integerFrom(1) },
  {
    ...shared,
    metadata: record({}, { user_id: orNull(text) }),
    service_tier: oneOf('auto', 'standard_only'),
    stop_sequences: listOf(matching(/\S/)),
    stream: flag,
    temperature: numberFrom(0, 1),
    top_k: integerFrom(0),
    top_p: numberFrom(0, 1),
  },
);

/** Counting takes neither a limit nor anything else that is about the answer. */
export const countBody: Check<unknown> = record(required, shared);

function toolSchema(value: unknown, at: string): unknown {
  return object(value, at)['type'] === 'object' ? value : refuse(at, "type must be 'object'");
}
