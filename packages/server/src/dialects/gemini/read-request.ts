/**
 * Reads a client's `GenerateContentRequest` (ai.google.dev/api/generate-content) into the neutral form, or refuses it by
 * the name of a field. Names of fields are given in camel case, whichever of the two spellings the client used.
 */
import type { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, Tool } from '../chat.ts';
import type { SentChat } from '../dialect.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject, ObjectReader, Reading } from '../reading.ts';
import { withCamelNames } from './field-names.ts';
import { presentFields } from './present-fields.ts';
import { readSchema } from './read-schema.ts';
import { readGenerationConfig, readToolConfig, SETTING_NAMES } from './read-settings.ts';
import { readSystem, readTurns } from './read-turns.ts';

export function readRequest({ scan, streamed }: SentChat): ChatRequest | Denial {
  const reading = new Reading();
  const fields = withCamelNames(parseExactJson(scan.body.toString('utf8')), '', reading);
  const body = new ObjectReader(isObject(fields) ? fields : {}, '', reading);
  // The path names the model. Labels sort Google's own bill by the client's words, and no answer depends on them.
  body.pass('model', 'labels');
  // What every provider does: to keep nothing for its logs, and to serve at the common rank.
  body.expect('store', false);
  body.expect('serviceTier', 'unspecified', 'standard');
  const { toolChoice, isValidated } = readToolConfig(body);
  const chat: ChatRequest = {
    system: readSystem(body),
    turns: readTurns(body, reading),
    tools: readTools(body, isValidated, reading),
    settings: presentFields({ ...readGenerationConfig(body, reading), toolChoice }),
    names: SETTING_NAMES,
    streamed,
  };
  body.done();
  return reading.refusal ?? chat;
}

/** Every list of declarations together. Tools that run at Google are refused by their names. */
function readTools(body: ObjectReader, isValidated: boolean, reading: Reading): readonly Tool[] {
  return body.objects('tools').flatMap((tool) => {
    const declarations = tool.objects('functionDeclarations');
    tool.done();
    return declarations.map((declaration) => readTool(declaration, isValidated, reading));
  });
}

function readTool(declaration: ObjectReader, isValidated: boolean, reading: Reading): Tool {
  declaration.expect('behavior', 'UNSPECIFIED', 'BLOCKING');
  const name = declaration.requiredText('name');
  const description = declaration.text('description');
  const schema = readSchema(declaration, ['parameters', 'parametersJsonSchema'], reading);
  declaration.done();
  const isStrict = isValidated ? true : undefined;
  return presentFields<Tool>({ name, description, schema, isStrict, at: declaration.path });
}
