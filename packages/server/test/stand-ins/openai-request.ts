/** Test support: the fields of a request for a chat completion (`ChatCompletionCreateParams` of `openai`). */
import type { Flavour } from './openai.ts';
import {
  type Check,
  any,
  either,
  filled,
  flag,
  integerFrom,
  isFields,
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

const NAME = matching(/^[a-zA-Z0-9_-]{1,64}$/);

export function chatBody({ fields, parts, instructionRoles, reasoningField }: Flavour): Check<unknown> {
  const instruction = record({ role: any, content: either(text, listOf(TEXT, { min: 1 })) });
  const reasoning = reasoningField === undefined ? {} : { [reasoningField]: orNull(text) };
  const messages = tagged('role', {
    ...Object.fromEntries(instructionRoles.map((role) => [role, instruction])),
    user: record({ role: any, content: either(filled, listOf(tagged('type', parts), { min: 1 })) }),
    assistant: record({ role: any }, { ...ASSISTANT, ...reasoning }),
    tool: record({ role: any, tool_call_id: filled, content: either(text, listOf(TEXT, { min: 1 })) }),
  });
  return record({ model: filled, messages: listOf(messages, { min: 1 }) }, fields);
}

const TEXT = record({ type: oneOf('text'), text });
const CALL = record({
  id: matching(/^.{1,40}$/s),
  type: oneOf('function'),
  function: record({ name: NAME, arguments: jsonObject }),
});
const ASSISTANT = {
  content: orNull(either(text, listOf(TEXT, { min: 1 }))),
  refusal: orNull(text),
  annotations: listOf(any, { max: 0 }),
  tool_calls: listOf(CALL, { min: 1 }),
};

export const TEXT_PART: Check<unknown> = TEXT;
export const IMAGE_PART: Check<unknown> = record({
  type: any,
  image_url: record(
    { url: matching(/^(?:https:\/\/|data:image\/(?:png|jpeg|gif|webp);base64,)/) },
    {
      detail: oneOf('auto', 'low', 'high'),
    },
  ),
});

/** What all these servers take. */
export const COMMON_FIELDS: Readonly<Record<string, Check<unknown>>> = {
  frequency_penalty: numberFrom(-2, 2),
  presence_penalty: numberFrom(-2, 2),
  temperature: numberFrom(0, 2),
  top_p: numberFrom(0, 1),
  stop: either(filled, listOf(filled, { min: 1, max: 4 })),
  stream: flag,
  stream_options: record({}, { include_usage: flag }),
  tools: listOf(record({ type: oneOf('function'), function: tool }), { min: 1, max: 128 }),
  tool_choice: either<string, unknown>(
    oneOf('none', 'auto', 'required'),
    record({ type: oneOf('function'), function: record({ name: NAME }) }),
  ),
  reasoning_effort: oneOf('low', 'medium', 'high', 'xhigh', 'max'),
};

export const JSON_MODE: Readonly<Record<string, Check<unknown>>> = {
  text: record({ type: any }),
  json_object: record({ type: any }),
};

export const SCHEMA_MODE: Readonly<Record<string, Check<unknown>>> = {
  ...JSON_MODE,
  json_schema: record({ type: any, json_schema: outputFormat }),
};

export const OUTPUT_LIMIT: Check<unknown> = integerFrom(1);

function tool(value: unknown, at: string): unknown {
  const fields = record({ name: NAME }, { description: text, parameters: object, strict: flag })(value, at);
  if (fields['strict'] === true) checkStrict(fields['parameters'], `${at}.parameters`);
  return fields;
}

function outputFormat(value: unknown, at: string): unknown {
  const fields = record({ name: NAME, schema: object }, { description: text, strict: orNull(flag) })(
    value,
    at,
  );
  if (fields['strict'] === true) checkStrict(fields['schema'], `${at}.schema`);
  return fields;
}

/** "Structured Outputs": a strict object has no further properties, and all that it has are required. */
function checkStrict(schema: unknown, at: string): void {
  if (!isFields(schema) || schema['type'] !== 'object') return;
  if (schema['additionalProperties'] !== false) refuse(at, "'additionalProperties' is required to be false");
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  for (const name of Object.keys(object(schema['properties'], at))) {
    if (!required.includes(name)) refuse(at, `'required' is missing '${name}'`);
  }
}

function jsonObject(value: unknown, at: string): unknown {
  try {
    if (isFields(JSON.parse(text(value, at)))) return value;
  } catch {
    // Refused below.
  }
  return refuse(at, 'must be the JSON text of an object');
}
