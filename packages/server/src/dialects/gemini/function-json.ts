/**
 * Responsible for the JSON that goes into and out of functions. Where others have text, Gemini has objects: a call's
 * `args`, and a result's `response`, in which `output` and `error` are what other vendors give as text.
 */
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import type { JsonObject, JsonValue } from '../chat.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject } from '../reading.ts';

export interface FunctionResult {
  /** Empty where the function gave nothing. */
  readonly texts: readonly string[];
  readonly isError: boolean;
}

/** The object that a text is; `undefined` for any other text. Never throws. */
export function parseObject(text: string): JsonObject | undefined {
  const scan = scanJsonObject(Buffer.from(text));
  if (scan instanceof JsonRefusal) return undefined;
  const value = parseExactJson(text);
  return isObject(value) ? value : undefined;
}

/** The arguments of a call as an object; a call without any has none. */
export function parseArguments(json: string): JsonObject | undefined {
  return json.trim() === '' ? {} : parseObject(json);
}

/** A text that is an object, to the letter, goes in as that object; any other is its `output` or `error`. */
export function wrapResult({ texts, isError }: FunctionResult): JsonObject {
  const [text = '', ...more] = texts;
  if (isError) return { error: more.length === 0 ? text : texts };
  if (more.length > 0) return { output: texts };
  const object = parseObject(text);
  const isLossless =
    object !== undefined && JSON.stringify(object) === text && unwrapResult(object).texts[0] === text;
  return isLossless ? object : { output: text };
}

export function unwrapResult(response: JsonObject): FunctionResult {
  const [name, ...more] = Object.keys(response);
  if (more.length > 0 || (name !== 'output' && name !== 'error')) {
    return { texts: [JSON.stringify(response)], isError: false };
  }
  return { texts: textsOf(response[name]), isError: name === 'error' };
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  if (value === '' || value === undefined) return [];
  return [typeof value === 'string' ? value : JSON.stringify(value)];
}
