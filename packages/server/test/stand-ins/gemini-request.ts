/** Test support: the fields of requests to the Gemini API (`Content`, `GenerateContentConfig` and others of `@google/genai`). */
import {
  type Check,
  any,
  filled,
  flag,
  integerFrom,
  listOf,
  matching,
  numberFrom,
  object,
  oneOf,
  record,
  refuse,
  text,
} from './strict.ts';

const INT32_MAX = 2 ** 31 - 1;
const FUNCTION_NAME = matching(/^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/);
const IMAGE_TYPE = oneOf('image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif');
const blob = record({ mimeType: IMAGE_TYPE, data: matching(/^[A-Za-z0-9+/_-]+={0,2}$/) });

/** One of the kinds of data a part may hold, by the field that it is in. */
const DATA: Readonly<Record<string, Check<unknown>>> = {
  text,
  inlineData: blob,
  fileData: record({ mimeType: IMAGE_TYPE, fileUri: matching(/^https:\/\//) }),
  functionCall: record({ name: FUNCTION_NAME }, { id: text, args: object }),
  functionResponse: record({ name: FUNCTION_NAME, response: object }, { id: text }),
};

function part(value: unknown, at: string): unknown {
  const fields = record({}, { ...DATA, thought: flag, thoughtSignature: text })(value, at);
  if (Object.keys(DATA).filter((name) => Object.hasOwn(fields, name)).length !== 1) {
    refuse(at, "required oneof field 'data' must have one initialized field");
  }
  return fields;
}

const parts = listOf(part, { min: 1 });
const content = record({ parts }, { role: oneOf('user', 'model') });
const contents = listOf(content, { min: 1 });
const declaration = record(
  { name: FUNCTION_NAME },
  { description: text, parameters: object, parametersJsonSchema: object },
);
const generationConfig = record(
  {},
  {
    temperature: numberFrom(0, 2),
    topP: numberFrom(0, 1),
    topK: integerFrom(1, INT32_MAX),
    candidateCount: integerFrom(1, 8),
    maxOutputTokens: integerFrom(1, INT32_MAX),
    stopSequences: listOf(filled, { max: 5 }),
    seed: integerFrom(-INT32_MAX, INT32_MAX),
    presencePenalty: numberFrom(-2, 2),
    frequencyPenalty: numberFrom(-2, 2),
    responseLogprobs: flag,
    logprobs: integerFrom(0, 20),
    responseMimeType: oneOf('text/plain', 'application/json'),
    responseSchema: object,
    responseJsonSchema: object,
    thinkingConfig: record(
      {},
      {
        includeThoughts: flag,
        thinkingBudget: integerFrom(-1, INT32_MAX),
        thinkingLevel: matching(/^(?:minimal|low|medium|high)$/i),
      },
    ),
  },
);

export const contentBody: Check<unknown> = record(
  { contents },
  {
    systemInstruction: record({ parts }, { role: text }),
    tools: listOf(record({ functionDeclarations: listOf(declaration, { min: 1, max: 512 }) })),
    toolConfig: record(
      {},
      {
        functionCallingConfig: record(
          {},
          { mode: oneOf('AUTO', 'ANY', 'NONE', 'VALIDATED'), allowedFunctionNames: listOf(FUNCTION_NAME) },
        ),
      },
    ),
    generationConfig,
  },
);

export const countBody: Check<unknown> = record({ contents }, { generateContentRequest: any });

export const embedBody: Check<unknown> = record(
  { content: record({ parts }, { role: text }) },
  { model: filled, taskType: text, title: text, outputDimensionality: integerFrom(1) },
);
export const embedBatchBody: Check<unknown> = record({ requests: listOf(embedBody, { min: 1 }) });
