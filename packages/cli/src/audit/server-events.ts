/** Reads server-sent events (WHATWG HTML) whose data is one JSON object, from the pieces in which they come. */
import { type JsonObject, isJsonObject } from '../remote/json.ts';

export interface ServerEvent {
  /** `message` where the event has none. */
  readonly name: string;
  readonly id: string | undefined;
  readonly data: JsonObject;
}

/** Characters of an event; a record has far fewer. */
const EVENT_CHARACTERS_MAX = 4_194_304;

/** Throws when an event has no end. What has no data that can be read is passed over. */
export async function* readServerEvents(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of pieces) {
    text += decoder.decode(piece, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = readEvent(text.slice(0, end));
      text = text.slice(end + 2);
      if (event !== undefined) yield event;
    }
    if (text.length > EVENT_CHARACTERS_MAX) throw new Error('the server sends an event without an end');
  }
}

function readEvent(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  const data = fields.get('data');
  if (data === undefined) return undefined;
  const value: unknown = JSON.parse(data);
  if (!isJsonObject(value)) return undefined;
  return { name: fields.get('event') ?? 'message', id: fields.get('id'), data: value };
}
