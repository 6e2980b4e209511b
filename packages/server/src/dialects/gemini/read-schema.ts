/**
 * Responsible for the schemas of a Gemini request. Beside JSON Schema there is Google's own `Schema`, a subset of
 * OpenAPI 3.0 with types in capitals, which is turned into JSON Schema here (ai.google.dev/api/caching#Schema).
 */
import type { JsonObject, JsonValue } from '../chat.ts';
import { isObject, ObjectReader, type Reading } from '../reading.ts';
import { camelFields } from './field-names.ts';

export const SCHEMA_DEPTH_MAX = 32;

/** The schema under one of two names, of which the first is Google's own kind and the second is JSON Schema. */
export function readSchema(
  reader: ObjectReader,
  names: readonly [own: string, json: string],
  reading: Reading,
): JsonObject | undefined {
  const [own, json] = names;
  const ownSchema = reader.json(own);
  const jsonSchema = reader.json(json);
  if (ownSchema !== undefined && jsonSchema !== undefined) {
    reader.invalid(json, `cannot be given together with '${own}'`);
  }
  const name = ownSchema === undefined ? json : own;
  const schema = ownSchema === undefined ? jsonSchema : convertSchema(ownSchema, reader.pathOf(own), reading);
  if (schema !== undefined && depthOf(schema) > SCHEMA_DEPTH_MAX) {
    reader.invalid(name, `is nested more than ${SCHEMA_DEPTH_MAX} levels deep`);
  }
  return schema;
}

/** JSON Schema that says what Google's says. */
function convertSchema(fields: JsonObject, path: string, reading: Reading): JsonObject {
  const reader = new ObjectReader(camelFields(fields, path, reading), path, reading);
  const schema: Record<string, JsonValue> = {};
  const type = readType(reader);
  if (type !== undefined) schema['type'] = type;
  for (const name of KEPT) {
    const value = reader.value(name);
    if (value !== undefined) schema[name] = value;
  }
  for (const name of COUNTS) {
    const count = readCount(reader, name);
    if (count !== undefined) schema[name] = count;
  }
  const example = reader.value('example');
  if (example !== undefined) schema['examples'] = [example];
  if (reader.has('enum')) schema['enum'] = readEnum(reader, type);
  // The format of a list of words, which JSON Schema does not name.
  if (schema['format'] === 'enum') delete schema['format'];
  const items = reader.json('items');
  if (items !== undefined) schema['items'] = convertSchema(items, reader.pathOf('items'), reading);
  if (reader.has('anyOf')) schema['anyOf'] = readAlternatives(reader, reading);
  const properties = readProperties(reader, reading);
  if (properties !== undefined) schema['properties'] = properties;
  if (reader.has('required')) schema['required'] = reader.texts('required');
  if (reader.flag('nullable') === true) allowNull(schema);
  reader.done();
  return schema;
}

function readType(reader: ObjectReader): string | undefined {
  const type = reader.text('type');
  if (type === undefined) return undefined;
  return TYPES.has(type.toLowerCase())
    ? type.toLowerCase()
    : reader.invalid('type', `must be one of ${[...TYPES].join(', ').toUpperCase()}`);
}

/** The API writes counts of 64 bits as strings. */
function readCount(reader: ObjectReader, name: string): number | undefined {
  const value = reader.value(name);
  const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (count === undefined || (typeof count === 'number' && Number.isSafeInteger(count))) return count;
  return reader.invalid(name, 'must be a whole number');
}

/** Google writes the values as strings, whatever their type. */
function readEnum(reader: ObjectReader, type: string | undefined): readonly JsonValue[] {
  const words = reader.texts('enum');
  if (type !== 'integer' && type !== 'number') return words;
  const numbers = words.map(Number);
  if (numbers.some((number) => !Number.isFinite(number))) reader.invalid('enum', 'must hold numbers');
  return numbers;
}

function readAlternatives(reader: ObjectReader, reading: Reading): readonly JsonObject[] {
  return reader.list('anyOf').map((alternative, index) => {
    const path = `${reader.pathOf('anyOf')}.${index}`;
    if (isObject(alternative)) return convertSchema(alternative, path, reading);
    reading.invalid(path, 'must be an object');
    return {};
  });
}

/** In the order that the client asks for, which JSON Schema says by their order alone. */
function readProperties(reader: ObjectReader, reading: Reading): JsonObject | undefined {
  const properties = reader.json('properties');
  const ordering = reader.texts('propertyOrdering');
  const missing = ordering.find((name) => properties === undefined || !Object.hasOwn(properties, name));
  if (missing !== undefined) reader.invalid('propertyOrdering', 'names a property that is not there');
  if (properties === undefined) return undefined;
  const converted: Record<string, JsonValue> = {};
  for (const name of new Set([...ordering, ...Object.keys(properties)])) {
    const path = `${reader.pathOf('properties')}.${name}`;
    const property = properties[name];
    if (isObject(property)) converted[name] = convertSchema(property, path, reading);
    else reading.invalid(path, 'must be an object');
  }
  return converted;
}

function allowNull(schema: Record<string, JsonValue>): void {
  const { type, anyOf, enum: values } = schema;
  if (typeof type === 'string') schema['type'] = [type, 'null'];
  if (Array.isArray(values)) schema['enum'] = [...(values as readonly JsonValue[]), null];
  if (Array.isArray(anyOf)) schema['anyOf'] = [...(anyOf as readonly JsonValue[]), { type: 'null' }];
}

/** How deep objects and lists nest. The scan of the request has bounded it. */
function depthOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const TYPES: ReadonlySet<string> = new Set([
  'string',
  'number',
  'integer',
  'boolean',
  'array',
  'object',
  'null',
]);
const KEPT = ['title', 'description', 'format', 'pattern', 'default', 'minimum', 'maximum'] as const;
const COUNTS = ['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'] as const;
