/**
 * Responsible for the calls and results in a Gemini request. Their ids are optional: a result without one answers the
 * first call of its function that has no result yet.
 */
import type { ToolCallPart, ToolResultPart } from '../chat.ts';
import type { ObjectReader, Reading } from '../reading.ts';
import { unwrapResult } from './function-json.ts';
import { readInlineData } from './read-media.ts';

interface Call {
  readonly id: string;
  readonly name: string;
  isAnswered: boolean;
}

/** The calls of a conversation so far. */
export class OpenCalls {
  #count = 0;
  readonly #byId = new Map<string, Call>();
  /** Those of each function that may have no result yet, the first one first. */
  readonly #byName = new Map<string, { calls: Call[]; next: number }>();

  /** The id of the call: its own, or one made of its place in the conversation. */
  open(ownId: string | undefined, name: string): string {
    const id = ownId ?? `kf_call_${this.#count}`;
    const call = { id, name, isAnswered: false };
    this.#count++;
    this.#byId.set(id, call);
    const ofName = this.#byName.get(name);
    if (ofName === undefined) this.#byName.set(name, { calls: [call], next: 0 });
    else ofName.calls.push(call);
    return id;
  }

  /** The call that a result answers; `undefined` where there is none. */
  answer(id: string | undefined, name: string): Call | undefined {
    const call = id === undefined ? this.#firstOpen(name) : this.#byId.get(id);
    if (call !== undefined) call.isAnswered = true;
    return call;
  }

  #firstOpen(name: string): Call | undefined {
    const ofName = this.#byName.get(name);
    while (ofName?.calls[ofName.next]?.isAnswered === true) ofName.next++;
    return ofName?.calls[ofName.next];
  }
}

export function readFunctionCall(
  reader: ObjectReader,
  { at, calls }: { readonly at: string; readonly calls: OpenCalls },
): ToolCallPart {
  const name = readName(reader);
  const args = reader.json('args') ?? {};
  const id = calls.open(readId(reader), name);
  reader.done();
  return { kind: 'tool_call', id, name, argumentsJson: JSON.stringify(args), at };
}

export function readFunctionResponse(
  reader: ObjectReader,
  { at, calls, reading }: { readonly at: string; readonly calls: OpenCalls; readonly reading: Reading },
): ToolResultPart {
  const id = readId(reader);
  const name = readName(reader);
  const response = reader.json('response') ?? reader.invalid('response', 'must be an object') ?? {};
  reader.expect('willContinue', false);
  const media = readMedia(reader, reading);
  reader.done();
  const call = calls.answer(id, name);
  if (call === undefined) reader.invalid(id === undefined ? 'name' : 'id', 'is of no call before it');
  else if (call.name !== name) reader.invalid('name', 'is not that of the call with its id');
  const { texts, isError } = unwrapResult(response);
  const content = [
    ...texts.map((text) => ({ kind: 'text' as const, text, at: reader.pathOf('response') })),
    ...media,
  ];
  return { kind: 'tool_result', callId: call?.id ?? '', content, isError, at };
}

/** Media that a function gave. */
function readMedia(reader: ObjectReader, reading: Reading): ToolResultPart['content'] {
  return reader.objects('parts').flatMap((part) => {
    const data = part.object('inlineData');
    part.done();
    if (data === undefined) return part.invalid('inlineData', 'must be an object') ?? [];
    const read = readInlineData(data, part.path);
    if (read?.kind !== 'audio') return read ?? [];
    return reading.unsupported(part.path) ?? [];
  });
}

function readName(reader: ObjectReader): string {
  const name = reader.requiredText('name');
  if (name === '') reader.invalid('name', 'must not be empty');
  return name;
}

/** An empty id is none, as it is wherever Google's messages have a string. */
function readId(reader: ObjectReader): string | undefined {
  const id = reader.text('id');
  return id === '' ? undefined : id;
}
