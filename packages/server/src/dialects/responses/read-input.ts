/**
 * Responsible for the `input` of a request: a flat list of items, of which those of one side that follow each other are
 * one turn.
 */
import type { AssistantPart, TextPart, ToolResultPart, Turn } from '../chat.ts';
import { readArguments } from '../openai/read-messages.ts';
import { isObject, type ObjectReader } from '../reading.ts';
import { splitSignature } from '../signatures.ts';
import { readEncrypted } from './encrypted-content.ts';
import { readInputContent, readInstruction, readOutputContent } from './read-content.ts';

export interface Input {
  readonly system: readonly TextPart[];
  readonly turns: readonly Turn[];
}

export function readInput(body: ObjectReader): Input {
  const collector = new ItemCollector();
  const instructions = body.text('instructions') ?? '';
  if (instructions !== '') {
    collector.system.push({ kind: 'text', at: body.pathOf('instructions'), text: instructions });
  }
  const input = body.value('input');
  if (typeof input === 'string') {
    const at = body.pathOf('input');
    collector.turns.push({ role: 'user', at, parts: [{ kind: 'text', at, text: input }] });
  } else if (input === undefined) {
    body.invalid('input', 'must be a string or a list of items');
  } else {
    readItems(body, collector);
  }
  return collector;
}

function readItems(body: ObjectReader, collector: ItemCollector): void {
  for (const item of body.objects('input')) {
    collector.add(item);
    item.done();
  }
  if (body.list('input').length === 0) body.invalid('input', 'must hold at least one item');
  if (collector.turns.length === 0) {
    body.unsupported('input', 'must hold more than instructions for the provider of this model');
  }
}

class ItemCollector implements Input {
  readonly system: TextPart[] = [];
  readonly turns: Turn[] = [];
  readonly #callIds = new Set<string>();
  /** The turns that further items may belong to. */
  #said: AssistantPart[] | undefined;
  #results: ToolResultPart[] | undefined;

  add(item: ObjectReader): void {
    // How an item was called and how far it had come, where it is one of an answer's.
    item.pass('id', 'status');
    const type = item.text('type') ?? 'message';
    switch (type) {
      case 'message':
        return this.#addMessage(item);
      case 'function_call':
        return this.#addCall(item);
      case 'function_call_output':
        return this.#addResult(item);
      case 'reasoning':
        return this.#addReasoning(item);
      case 'item_reference':
        item.unsupported('type', 'refers to a store of items, and there is none: send the item itself');
        break;
      default:
        item.unsupported('type');
    }
  }

  #addMessage(item: ObjectReader): void {
    const role = item.requiredText('role');
    const at = item.path;
    if (role === 'assistant') {
      // An answer is final wherever there is no other kind.
      item.expect('phase', 'final_answer');
      this.#saidAt(at).push(...readOutputContent(item));
    } else if (role === 'user') {
      this.#endTurns();
      const parts = readInputContent(item, 'content');
      if (parts.length === 0) item.invalid('content', 'must not be empty');
      this.turns.push({ role, at, parts });
    } else if (role === 'system' || role === 'developer') {
      this.#addInstruction(item);
    } else {
      item.invalid('role', 'must be one of system, developer, user, assistant');
    }
  }

  #addInstruction(item: ObjectReader): void {
    this.#endTurns();
    // An empty instruction says nothing, and some vendors take no empty text.
    const parts = readInstruction(item).filter(({ text }) => text !== '');
    if (this.turns.length === 0) this.system.push(...parts);
    else if (parts.length > 0) this.turns.push({ role: 'system', at: item.path, parts });
  }

  #addCall(item: ObjectReader): void {
    const caller = item.value('caller');
    if (caller !== undefined && !(isObject(caller) && caller['type'] === 'direct'))
      item.unsupported('caller');
    item.expect('async', false);
    const { id, signature } = splitSignature(item.requiredText('call_id'));
    const name = item.requiredText('name');
    const call = { kind: 'tool_call', at: item.path, id, name, argumentsJson: readArguments(item) } as const;
    this.#callIds.add(id);
    this.#saidAt(item.path).push(signature === undefined ? call : { ...call, signature });
  }

  #addResult(item: ObjectReader): void {
    const callId = splitSignature(item.requiredText('call_id')).id;
    if (!this.#callIds.has(callId)) item.invalid('call_id', 'must be the id of a call before it');
    // The call that is answered has the same name.
    item.pass('name');
    this.#said = undefined;
    if (this.#results === undefined) {
      this.#results = [];
      this.turns.push({ role: 'user', at: item.path, parts: this.#results });
    }
    const content = readInputContent(item, 'output').filter(
      (part) => part.kind !== 'text' || part.text !== '',
    );
    this.#results.push({ kind: 'tool_result', at: item.path, callId, content, isError: false });
  }

  #addReasoning(item: ObjectReader): void {
    const at = item.path;
    const text = readReasoningText(item);
    const encrypted = item.text('encrypted_content') ?? '';
    if (encrypted === '') {
      if (text !== '') this.#saidAt(at).push({ kind: 'reasoning', at, text });
      else item.unsupported('encrypted_content', ONLY_NAMED);
      return;
    }
    const { signed, signature } = readEncrypted(encrypted);
    if (signed === 'text') {
      this.#signText(item, signature);
    } else if (signed === 'redacted') {
      this.#saidAt(at).push({ kind: 'reasoning', at, text: '', signature, isRedacted: true });
    } else {
      this.#saidAt(at).push({ kind: 'reasoning', at, text, signature });
    }
  }

  #signText(item: ObjectReader, signature: TextPart['signature']): void {
    const said = this.#said ?? [];
    const last = said.at(-1);
    if (last?.kind !== 'text' || signature === undefined) {
      item.invalid('encrypted_content', 'must follow the text that it signs');
    } else {
      said[said.length - 1] = { ...last, signature };
    }
  }

  #saidAt(at: string): AssistantPart[] {
    this.#results = undefined;
    if (this.#said === undefined) {
      this.#said = [];
      this.turns.push({ role: 'assistant', at, parts: this.#said });
    }
    return this.#said;
  }

  #endTurns(): void {
    this.#said = undefined;
    this.#results = undefined;
  }
}

const ONLY_NAMED =
  "is missing, so that this reasoning is only named, and there is no store of it: ask for it with 'include': ['reasoning.encrypted_content'] and send it back whole, or leave the item out";

/** The summary; where there is none, what an open model has thought itself. */
function readReasoningText(item: ObjectReader): string {
  const summary = readTexts(item, 'summary', 'summary_text');
  const content = readTexts(item, 'content', 'reasoning_text');
  return (summary.length > 0 ? summary : content).join('\n\n');
}

function readTexts(item: ObjectReader, name: string, type: string): readonly string[] {
  return item.objects(name).map((part) => {
    if (part.requiredText('type') !== type) part.invalid('type', `must be '${type}'`);
    const text = part.requiredText('text');
    part.done();
    return text;
  });
}
