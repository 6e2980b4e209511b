/**
 * What a call of OpenAI's Responses API asks beyond its own bytes: tools that OpenAI runs, whose price is not by tokens
 * alone, and what OpenAI stores, which may be another key's and is as long as it is.
 */
import { Denial } from '../../kernel/denial.ts';
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import { invalid } from './read-generation.ts';

/** Tools whose calls are given back to the client, which runs them itself (`Tool` in OpenAI's own client). */
const CLIENTS_TOOLS: ReadonlySet<unknown> = new Set([
  'function',
  'custom',
  'local_shell',
  'apply_patch',
  'computer',
  'computer_use_preview',
]);
/** Items that hold all that they mean (`ResponseInputItem` in OpenAI's own client). */
const WHOLE_ITEMS: ReadonlySet<unknown> = new Set([
  'message',
  'function_call',
  'function_call_output',
  'custom_tool_call',
  'custom_tool_call_output',
  'local_shell_call',
  'local_shell_call_output',
  'shell_call',
  'shell_call_output',
  'apply_patch_call',
  'apply_patch_call_output',
  'computer_call',
  'computer_call_output',
  'compaction',
]);
const STORES = ['previous_response_id', 'conversation', 'prompt'] as const;
/** What a refusal repeats of a client's own word. */
const WORD_CHARACTERS_MAX = 60;

export function findHostedTool(scan: JsonObjectScan): Denial | undefined {
  const tools = readList(scan, 'tools');
  if (tools instanceof Denial) return tools;
  if (isThere(scan, 'context_management'))
    return refuse('context_management', 'Compaction has no price here.');
  for (const [index, tool] of tools.entries()) {
    if (isClients(tool)) continue;
    const what = wordOf(tool, 'type');
    return refuse(`tools.${index}.type`, `The tool '${what}', which the provider runs, has no price here.`);
  }
  return undefined;
}

/** Refused only where it would reach OpenAI: what it stores no other provider has. */
export function findStored(scan: JsonObjectScan): Denial | undefined {
  const background = scan.field('background')?.kind ?? 'null';
  if (background === 'true') {
    return refuse(
      'background',
      "'background' is not supported: what it spends is known only after its call has ended.",
    );
  }
  const store = STORES.find((name) => isThere(scan, name));
  if (store !== undefined) {
    return refuse(
      store,
      `'${store}' refers to what the provider stores, which may be another key's. Send the whole input.`,
    );
  }
  const cache = scan.field('prompt_cache_options');
  if (cache?.kind === 'object' && isThere(scan.fieldsOf(cache), 'comparison_response_id')) {
    return refuse(
      'prompt_cache_options.comparison_response_id',
      "'prompt_cache_options.comparison_response_id' refers to what the provider stores, which may be another key's.",
    );
  }
  const input = scan.field('input');
  if (input?.kind !== 'array') return undefined;
  const items = scan.readJson(input) as readonly unknown[];
  for (const [index, item] of items.entries()) {
    const problem = findReference(item);
    if (problem !== undefined) return refuse(`input.${index}`, problem);
  }
  return undefined;
}

function findReference(item: unknown): string | undefined {
  // OpenAI refuses what is no object; what has a role is a message, and what has neither role nor type a reference.
  if (!isObject(item)) return undefined;
  const type = item['type'] ?? ('role' in item ? 'message' : 'item_reference');
  if (type === 'reasoning') {
    const isWhole = typeof item['encrypted_content'] === 'string' && item['encrypted_content'] !== '';
    return isWhole
      ? undefined
      : "This reasoning is only named, and stored by the provider. Ask for it with 'include': ['reasoning.encrypted_content'] and send it back whole.";
  }
  if (WHOLE_ITEMS.has(type)) return undefined;
  return `An item of the type '${typeof type === 'string' ? wordOf(item, 'type') : 'unknown'}' refers to what the provider stores or runs. Send the item itself.`;
}

function isClients(tool: unknown): boolean {
  if (!isObject(tool)) return false;
  const type = tool['type'];
  // A shell in the provider's container is the provider's.
  if (type === 'shell') return isObject(tool['environment']) && tool['environment']['type'] === 'local';
  if (type === 'namespace')
    return Array.isArray(tool['tools']) && tool['tools'].every((each) => isClients(each));
  return CLIENTS_TOOLS.has(type);
}

function readList(scan: JsonObjectScan, name: string): readonly unknown[] | Denial {
  const span = scan.field(name);
  if (span === undefined || span.kind === 'null') return [];
  return span.kind === 'array'
    ? (scan.readJson(span) as readonly unknown[])
    : invalid(name, 'must be a list');
}

function wordOf(value: unknown, name: string): string {
  const word = isObject(value) ? value[name] : undefined;
  return (typeof word === 'string' ? word : 'unknown').slice(0, WORD_CHARACTERS_MAX);
}

function isThere(scan: JsonObjectScan, name: string): boolean {
  return (scan.field(name)?.kind ?? 'null') !== 'null';
}

function refuse(param: string, message: string): Denial {
  return new Denial('unsupported_parameter', { param, message });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
