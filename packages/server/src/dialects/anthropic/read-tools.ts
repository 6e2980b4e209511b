/** Responsible for reading the tools of a request to Anthropic, and the JSON Schemas in it. */
import type { JsonObject, JsonValue, Tool } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { withoutUnset } from './fields.ts';

/** What Anthropic lets a tool be called. */
export const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

export function readTools(body: ObjectReader): readonly Tool[] {
  const names = new Set<string>();
  return body.objects('tools').map((reader) => {
    const tool = readTool(reader);
    if (names.has(tool.name)) reader.invalid('name', 'must differ from the names of the other tools');
    names.add(tool.name);
    return tool;
  });
}

/** A JSON Schema that is no deeper than other vendors take. */
export function readSchema(reader: ObjectReader, field: string): JsonObject {
  const schema = reader.json(field);
  if (schema === undefined) reader.invalid(field, 'must be an object');
  else if (isDeeperThan(schema, SCHEMA_DEPTH_MAX)) {
    reader.invalid(field, `must not be nested deeper than ${SCHEMA_DEPTH_MAX} levels`);
  }
  return schema ?? {};
}

/**
 * `eager_input_streaming` only says into which pieces a stream is cut. A deferred tool, its examples, and callers other
 * than the model itself only Anthropic has.
 */
function readTool(reader: ObjectReader): Tool {
  reader.pass('cache_control', 'eager_input_streaming');
  reader.expect('type', 'custom');
  reader.expect('defer_loading', false);
  if (reader.texts('allowed_callers').some((caller) => caller !== 'direct'))
    reader.unsupported('allowed_callers');
  const name = reader.requiredText('name');
  if (!TOOL_NAME.test(name))
    reader.invalid('name', 'must be 1 to 128 letters, digits, underscores and hyphens');
  const schema = readSchema(reader, 'input_schema');
  if (schema['type'] !== 'object') reader.invalid('input_schema', "must have the type 'object'");
  const tool = { description: reader.text('description'), isStrict: reader.flag('strict') };
  reader.done();
  return withoutUnset<Tool>({ at: reader.path, name, schema, ...tool });
}

function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner: JsonValue) => isDeeperThan(inner, levels - 1));
}

const SCHEMA_DEPTH_MAX = 32;
