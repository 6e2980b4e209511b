/**
 * What a call must not ask that passes to its provider as the client wrote it: another model than the one that was decided
 * about, and what the provider keeps of earlier calls, which may be another key's.
 */
import { Denial } from '../../kernel/denial.ts';
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import type { Endpoint, Provider } from '../../providers/provider.ts';
import type { ParsedCall } from './parsed-call.ts';
import { findStored } from './responses-call.ts';

type Asked = Pick<ParsedCall, 'endpoint' | 'scan' | 'form' | 'mediaParts'>;

/** What names an answer to an earlier call. */
const FINDERS: Readonly<Partial<Record<Endpoint, (call: Asked) => Denial | undefined>>> = {
  responses: ({ scan }) => findStored(scan),
  'chat.completions': findSpoken,
  messages: ({ scan }) => findCompared(scan),
  generateContent: ({ scan }) => findContinued(scan),
  streamGenerateContent: ({ scan }) => findContinued(scan),
};

export function findForbidden(call: Asked, { id, rerouting }: Provider): Denial | undefined {
  const { scan, form } = call;
  const field = rerouting?.find((name) => isThere(scan, name) || (form?.all(name).length ?? 0) > 0);
  if (field !== undefined) {
    const message = `'${field}' may have a server of '${id}' ask another model, or charge for more, than this key is allowed and charged for. Name the model in 'model', and fallbacks in a route.`;
    return new Denial('unsupported_parameter', { param: field, message });
  }
  const tool = rerouting === undefined ? undefined : findServersTool(scan);
  return tool ?? FINDERS[call.endpoint]?.(call);
}

/** Tools whose calls are given back to the client. What a server runs itself may ask other models, and charge for it. */
const CLIENTS_TOOLS: ReadonlySet<string> = new Set(['function', 'custom']);
/** What a refusal repeats of a client's own word. */
const WORD_CHARACTERS_MAX = 60;

function findServersTool(scan: JsonObjectScan): Denial | undefined {
  const tools = scan.field('tools');
  if (tools?.kind !== 'array') return undefined;
  for (const [index, tool] of scan.itemsOf(tools).entries()) {
    const type = tool.kind === 'object' ? scan.fieldsOf(tool).field('type') : undefined;
    const word = type?.kind === 'string' ? scan.readString(type) : undefined;
    if (word === undefined || CLIENTS_TOOLS.has(word)) continue;
    const message = `The tool '${word.slice(0, WORD_CHARACTERS_MAX)}', which the provider runs, has no price here.`;
    return new Denial('unsupported_parameter', { param: `tools.${index}.type`, message });
  }
  return undefined;
}

/** An earlier answer in sound is kept by the vendor, and given back by its name alone. */
function findSpoken({ scan, mediaParts }: Asked): Denial | undefined {
  const messages = scan.field('messages');
  // It is counted among the parts: all other chats are not walked again.
  if (mediaParts === 0 || messages?.kind !== 'array') return undefined;
  for (const [index, message] of scan.itemsOf(messages).entries()) {
    const audio = message.kind === 'object' ? scan.fieldsOf(message).field('audio') : undefined;
    if (audio?.kind !== 'object' || !isThere(scan.fieldsOf(audio), 'id')) continue;
    return refuseStored(`messages.${index}.audio.id`, 'Send what was said as text.');
  }
  return undefined;
}

function findCompared(scan: JsonObjectScan): Denial | undefined {
  if (isThere(scan, 'thread')) return refuseStored('thread', 'Send the whole conversation.');
  const diagnostics = scan.field('diagnostics');
  const isNamed =
    diagnostics?.kind === 'object' && isThere(scan.fieldsOf(diagnostics), 'previous_message_id');
  return isNamed ? refuseStored('diagnostics.previous_message_id', 'Send null.') : undefined;
}

function findContinued(scan: JsonObjectScan): Denial | undefined {
  const token = ['continuationToken', 'continuation_token'].find((name) => isThere(scan, name));
  return token === undefined ? undefined : refuseStored(token, 'Send the whole conversation.');
}

function refuseStored(param: string, instead: string): Denial {
  const message = `'${param}' refers to what the provider keeps of an earlier call, which may be another key's. ${instead}`;
  return new Denial('unsupported_parameter', { param, message });
}

function isThere(scan: JsonObjectScan, name: string): boolean {
  return (scan.field(name)?.kind ?? 'null') !== 'null';
}
