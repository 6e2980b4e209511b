/** Responsible for the `messages` of a client's request: instructions, what was said, tool calls and their results. */
import type { AssistantPart, Signature, TextPart, ToolCallPart, ToolResultPart, Turn } from '../chat.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject, type ObjectReader } from '../reading.ts';
import { splitSignature } from '../signatures.ts';
import { readAssistantContent, readTexts, readUserContent } from './read-content.ts';
import { readDetails } from './reasoning-details.ts';

export interface Conversation {
  readonly system: readonly TextPart[];
  readonly turns: readonly Turn[];
}

export function readMessages(body: ObjectReader): Conversation {
  const collector = new TurnCollector();
  for (const message of body.objects('messages')) {
    collector.add(message);
    message.done();
  }
  if (body.list('messages').length === 0) body.invalid('messages', 'must hold at least one message');
  if (collector.turns.length === 0) {
    body.unsupported('messages', 'must hold more than instructions for the provider of this model');
  }
  return collector;
}

class TurnCollector implements Conversation {
  readonly system: TextPart[] = [];
  readonly turns: Turn[] = [];
  readonly #callIds = new Set<string>();
  /** The turn that further results of tools belong to. */
  #results: ToolResultPart[] | undefined;

  add(message: ObjectReader): void {
    const role = message.requiredText('role');
    if (role === 'tool') return this.#addResult(message);
    this.#results = undefined;
    const at = message.path;
    switch (role) {
      case 'system':
      case 'developer':
        return this.#addInstruction(message);
      case 'user':
        this.turns.push({ role, at, parts: readUserContent(message) });
        break;
      case 'assistant':
        this.turns.push({ role, at, parts: this.#readAssistant(message) });
        break;
      case 'function':
        message.unsupported('role', "is of the older function calls: use 'tool'");
        break;
      default:
        message.invalid('role', 'must be one of system, developer, user, assistant, tool');
    }
  }

  #addInstruction(message: ObjectReader): void {
    // An empty instruction says nothing, and some vendors take no empty text.
    const parts = readTexts(message).filter(({ text }) => text !== '');
    if (this.turns.length === 0) this.system.push(...parts);
    else if (parts.length > 0) this.turns.push({ role: 'system', at: message.path, parts });
  }

  #addResult(message: ObjectReader): void {
    const callId = splitSignature(message.requiredText('tool_call_id')).id;
    if (!this.#callIds.has(callId)) message.invalid('tool_call_id', 'must be the id of a call before it');
    // An older form: the call that is answered has the same name.
    message.pass('name');
    if (this.#results === undefined) {
      this.#results = [];
      this.turns.push({ role: 'user', at: message.path, parts: this.#results });
    }
    const content = readTexts(message).filter(({ text }) => text !== '');
    this.#results.push({ kind: 'tool_result', at: message.path, callId, content, isError: false });
  }

  #readAssistant(message: ObjectReader): readonly AssistantPart[] {
    if (message.has('function_call'))
      message.unsupported('function_call', "is the older form: use 'tool_calls'");
    const { reasoning, textSignature } = readDetails(message);
    const calls = message.objects('tool_calls').flatMap((call) => readCall(call));
    for (const { id } of calls) this.#callIds.add(id);
    const refusal = message.text('refusal');
    const said: AssistantPart[] = [...readAssistantContent(message)];
    if (refusal !== undefined) {
      said.push({ kind: 'refusal', at: message.pathOf('refusal'), text: refusal });
    }
    // Beside a call or a refusal an empty text is no part of the turn.
    const spoken =
      calls.length > 0 || said.length > 1
        ? said.filter((part) => part.kind !== 'text' || part.text !== '')
        : said;
    // What OpenAI's client has made of the text for the program.
    message.pass('parsed');
    // Answers without citations have an empty list of them.
    if (message.list('annotations').length > 0) message.unsupported('annotations');
    const parts = [...reasoning, ...sign(spoken, textSignature), ...calls];
    if (parts.length === 0) message.invalid('content', 'must be there unless tools are called');
    return parts;
  }
}

function readCall(call: ObjectReader): readonly ToolCallPart[] {
  const type = call.requiredText('type');
  const called = call.object('function');
  if (type !== 'function' || called === undefined) {
    if (type === 'custom') call.unsupported('type');
    else if (type !== 'function') call.invalid('type', "must be 'function'");
    else call.invalid('function', 'must be an object');
    return [];
  }
  const { id, signature } = splitSignature(call.requiredText('id'));
  const name = called.requiredText('name');
  const argumentsJson = readArguments(called);
  // What OpenAI's client has made of the arguments for the program.
  called.pass('parsed_arguments');
  called.done();
  // Left over from a stream: the place in the list says the same.
  call.pass('index');
  call.done();
  const part: ToolCallPart = { kind: 'tool_call', at: call.path, id, name, argumentsJson };
  return [signature === undefined ? part : { ...part, signature }];
}

/** The JSON text of an object, as it was sent; `{}` for none. */
export function readArguments(called: ObjectReader): string {
  const json = called.requiredText('arguments');
  if (json.trim() === '') return '{}';
  if (!isJsonObject(json)) called.invalid('arguments', 'must be the JSON text of an object');
  return json;
}

function isJsonObject(json: string): boolean {
  try {
    return isObject(parseExactJson(json));
  } catch {
    return false;
  }
}

/** A message has one text for which a signature may stand. */
function sign(parts: readonly AssistantPart[], signature: Signature | undefined): readonly AssistantPart[] {
  const last = parts.findLastIndex((part) => part.kind === 'text');
  if (signature === undefined) return parts;
  return parts.map((part, index) => (index === last && part.kind === 'text' ? { ...part, signature } : part));
}
