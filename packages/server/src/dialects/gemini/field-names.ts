/**
 * Responsible for the names of Gemini's fields: the API takes each in lower camel case or as the message defines it, in
 * snake case (protobuf.dev, "ProtoJSON format"). A request is given camel case before it is read. What a client made up
 * itself keeps its names: arguments, results, schemas.
 */
import type { JsonObject, JsonValue } from '../chat.ts';
import { isObject, type Reading } from '../reading.ts';

/** The whole of a request in camel case. A field that is there in both spellings is refused. */
export function withCamelNames(value: JsonValue, path: string, reading: Reading): JsonValue {
  if (isObject(value)) {
    const fields: Record<string, JsonValue> = {};
    for (const [name, item] of Object.entries(camelFields(value, path, reading))) {
      const listed = LISTS.has(name) && isObject(item) ? [item] : item;
      fields[name] = CLIENTS_OWN.has(name) ? item : withCamelNames(listed, join(path, name), reading);
    }
    return fields;
  }
  if (!Array.isArray(value)) return value;
  const items = value as readonly JsonValue[];
  return items.map((item, index) => withCamelNames(item, join(path, String(index)), reading));
}

/** The fields of one object in camel case, and their values as they are. */
export function camelFields(fields: JsonObject, path: string, reading: Reading): JsonObject {
  const named: Record<string, JsonValue> = {};
  for (const [written, value] of Object.entries(fields)) {
    const name = SNAKE_CASE.test(written) ? camelName(written) : written;
    if (Object.hasOwn(named, name)) reading.invalid(join(path, name), 'is given twice, in two spellings');
    named[name] = value;
  }
  return named;
}

function camelName(snakeName: string): string {
  return snakeName.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

const SNAKE_CASE = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$/;

/** Google's schemas have names of both kinds in them, and are read by themselves. */
const CLIENTS_OWN: ReadonlySet<string> = new Set([
  'args',
  'response',
  'parameters',
  'parametersJsonSchema',
  'responseSchema',
  'responseJsonSchema',
  'labels',
]);

/** Lists of which one item may stand by itself, as it does in Google's own samples. */
const LISTS: ReadonlySet<string> = new Set(['contents', 'parts', 'tools', 'functionDeclarations']);
