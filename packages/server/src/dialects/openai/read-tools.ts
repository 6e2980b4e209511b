/** Responsible for `tools` and `tool_choice` of a client's request. */
import type { Tool, ToolChoice } from '../chat.ts';
import { isObject, type ObjectReader } from '../reading.ts';
import { given } from './given.ts';
import { readName, readSchema } from './read-schema.ts';

export function readTools(body: ObjectReader): readonly Tool[] {
  return body.objects('tools').flatMap((tool) => {
    const type = tool.requiredText('type');
    const defined = tool.object('function');
    if (type !== 'function') {
      if (type === 'custom') tool.unsupported('type');
      else tool.invalid('type', "must be 'function'");
      return [];
    }
    tool.done();
    if (defined === undefined) {
      tool.invalid('function', 'must be an object');
      return [];
    }
    return [readFunction(defined, tool.path)];
  });
}

/** The definition of a function, which the Responses API writes in the tool itself. */
export function readFunction(defined: ObjectReader, at: string): Tool {
  const tool: Tool = {
    at,
    name: readName(defined),
    ...given({
      description: defined.text('description'),
      schema: readSchema(defined, 'parameters'),
      isStrict: defined.flag('strict'),
    }),
  };
  defined.done();
  return tool;
}

/** How the two APIs of OpenAI name a function in a choice. */
export interface ChoiceForm {
  /** The function that `choice` names. */
  readName(choice: ObjectReader): string;
  /** Where the fields of `allowed_tools` stand. */
  allowedIn(choice: ObjectReader): ObjectReader | undefined;
}

const CHAT_FORM: ChoiceForm = {
  readName(choice) {
    const named = choice.object('function');
    if (named === undefined) {
      choice.invalid('function', 'must be an object');
      return '';
    }
    const name = named.requiredText('name');
    named.done();
    return name;
  },
  allowedIn: (choice) => choice.object('allowed_tools'),
};

/** `undefined` where it is absent, or says nothing since there are no tools. */
export function readToolChoice(
  body: ObjectReader,
  tools: readonly Tool[],
  form: ChoiceForm = CHAT_FORM,
): ToolChoice | undefined {
  const value = body.value('tool_choice');
  const choice = isObject(value) ? readChoiceObject(body, tools, form) : readWord(body);
  if (choice === undefined || tools.length > 0) return choice;
  if (choice.kind === 'auto' || choice.kind === 'none') return undefined;
  return body.invalid('tool_choice', "needs 'tools'");
}

function readWord(body: ObjectReader): ToolChoice | undefined {
  const kind = body.choice('tool_choice', ['none', 'auto', 'required']);
  return kind === undefined ? undefined : { kind };
}

function readChoiceObject(
  body: ObjectReader,
  tools: readonly Tool[],
  form: ChoiceForm,
): ToolChoice | undefined {
  const choice = body.object('tool_choice');
  if (choice === undefined) return undefined;
  const type = choice.requiredText('type');
  if (type === 'allowed_tools') return readAllowed(choice, tools, form);
  if (type !== 'function') return choice.unsupported('type');
  const name = form.readName(choice);
  choice.done();
  if (!tools.some((tool) => tool.name === name)) body.invalid('tool_choice', "must name one of 'tools'");
  return { kind: 'named', names: [name] };
}

function readAllowed(choice: ObjectReader, tools: readonly Tool[], form: ChoiceForm): ToolChoice | undefined {
  const allowed = form.allowedIn(choice);
  if (allowed === undefined) return choice.invalid('allowed_tools', 'must be an object');
  const mode = allowed.choice('mode', ['auto', 'required']);
  const names = allowed.objects('tools').map((tool) => {
    tool.expect('type', 'function');
    const name = form.readName(tool);
    if (!tools.some((defined) => defined.name === name)) tool.invalid('name', "must be of one of 'tools'");
    tool.done();
    return name;
  });
  allowed.done();
  choice.done();
  if (mode === undefined) return allowed.invalid('mode', 'must be one of auto, required');
  if (names.length === 0) return allowed.invalid('tools', 'must hold at least one tool');
  if (mode === 'required') return { kind: 'named', names };
  // Any of these or none: only where these are all is there a word for it elsewhere.
  const isAll = tools.every(({ name }) => names.includes(name));
  return isAll ? { kind: 'auto' } : allowed.unsupported('mode');
}
