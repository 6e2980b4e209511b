/** Responsible for the JSON Schemas and the names of a request: of tools, of their arguments and of output formats. */
import type { JsonObject, JsonValue } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';

/** How many objects and lists may lie in each other. */
export const SCHEMA_DEPTH_MAX = 32;

/** What OpenAI takes as the name of a function or of an output format. */
export const NAME_PATTERN = /^[a-zA-Z0-9_-]{1,64}$/;

/** What is said of another vendor's, which may have dots in it, or be longer. */
export const NAME_REFUSAL =
  "has a name that is not 1 to 64 letters, digits, underscores or dashes: this model's provider takes no other";

export function readSchema(reader: ObjectReader, name: string): JsonObject | undefined {
  const schema = reader.json(name);
  if (schema === undefined || !isDeeperThan(schema, SCHEMA_DEPTH_MAX)) return schema;
  return reader.invalid(name, `must not be deeper than ${SCHEMA_DEPTH_MAX} levels`);
}

export function readName(reader: ObjectReader): string {
  const name = reader.requiredText('name');
  if (!NAME_PATTERN.test(name))
    reader.invalid('name', 'must be 1 to 64 letters, digits, underscores or dashes');
  return name;
}

function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}
