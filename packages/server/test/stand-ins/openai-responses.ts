/** Test support: OpenAI's Responses API without its store, as the types of its own client `openai` declare it. */
import { readItems } from './openai-items.ts';
import {
  type Check,
  type Fields,
  any,
  either,
  fieldsIn,
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
import { type Heard, settingsOf } from './vendor.ts';

export function hearResponse(body: Fields): Heard {
  responseBody(body, '');
  const format = (body['text'] as { format?: { schema?: unknown } } | undefined)?.format;
  const reasoning = body['reasoning'] as { effort?: string } | undefined;
  return {
    ...readItems(body),
    tools: fieldsIn(body['tools']).map((tool) => String(tool['name'])),
    settings: settingsOf({
      limit: body['max_output_tokens'],
      schema: format?.schema,
      effort: reasoning?.effort,
    }),
    streamed: body['stream'] === true,
  };
}

const NAME = matching(/^[a-zA-Z0-9_-]{1,64}$/);
const CALL_ID = matching(/^.{1,64}$/s);
const ITEM = { id: text, status: oneOf('in_progress', 'completed', 'incomplete') };

const inputParts = listOf(
  tagged('type', {
    input_text: record({ type: any, text }),
    input_image: record(
      { type: any, image_url: matching(/^(?:https:\/\/|data:image\/(?:png|jpeg|gif|webp);base64,)/) },
      { detail: oneOf('auto', 'low', 'high', 'original') },
    ),
  }),
  { min: 1 },
);
const said = record({ role: any, content: either(text, inputParts) }, { type: oneOf('message') });
const outputText = record(
  { type: any, text },
  { annotations: listOf(any, { max: 0 }), logprobs: listOf(any) },
);
const assistant = record(
  { role: any, content: either(text, listOf(tagged('type', { output_text: outputText }), { min: 1 })) },
  { ...ITEM, type: oneOf('message'), phase: orNull(oneOf('commentary', 'final_answer')) },
);
const ITEMS: Readonly<Record<string, Check<unknown>>> = {
  message: tagged('role', { user: said, system: said, developer: said, assistant }),
  function_call: record({ type: any, call_id: CALL_ID, name: NAME, arguments: text }, ITEM),
  function_call_output: record(
    { type: any, call_id: CALL_ID, output: either(text, inputParts) },
    { ...ITEM, name: NAME },
  ),
  reasoning: record(
    { type: any, summary: listOf(record({ type: oneOf('summary_text'), text })) },
    { ...ITEM, encrypted_content: orNull(text), content: listOf(any) },
  ),
};

function item(value: unknown, at: string): unknown {
  const type = object(value, at)['type'] ?? 'message';
  const check = ITEMS[text(type, `${at}.type`)];
  return check === undefined ? refuse(`${at}.type`, 'is not known, or not stored') : check(value, at);
}

const responseBody: Check<unknown> = record(
  { model: filled, input: either<string, unknown>(filled, listOf(item, { min: 1 })) },
  {
    instructions: orNull(text),
    max_output_tokens: integerFrom(16),
    temperature: numberFrom(0, 2),
    top_p: numberFrom(0, 1),
    tools: listOf(
      record(
        { type: oneOf('function'), name: NAME },
        { description: text, parameters: orNull(object), strict: orNull(flag) },
      ),
    ),
    tool_choice: either<string, unknown>(
      oneOf('none', 'auto', 'required'),
      record({ type: oneOf('function'), name: NAME }),
    ),
    parallel_tool_calls: flag,
    text: record({}, { format: tagged('type', { text: any, json_schema: schemaFormat }) }),
    reasoning: record(
      {},
      {
        effort: orNull(oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh')),
        summary: orNull(oneOf('auto', 'concise', 'detailed')),
      },
    ),
    store: oneOf(false),
    include: listOf(oneOf('reasoning.encrypted_content', 'message.output_text.logprobs')),
    stream: flag,
  },
);

function schemaFormat(value: unknown, at: string): unknown {
  const required = { type: any, name: NAME, schema: object };
  return record(required, { description: text, strict: orNull(flag) })(value, at);
}
