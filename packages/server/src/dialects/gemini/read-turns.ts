/**
 * Responsible for the `contents` of a Gemini request. Its clients keep a streamed answer as it came, a content for each
 * piece: pieces that follow each other are put together again, up to the signature that closes them.
 */
import type { AssistantPart, TextPart, Turn, UserPart } from '../chat.ts';
import type { ObjectReader, Reading } from '../reading.ts';
import { OpenCalls, readFunctionCall, readFunctionResponse } from './read-functions.ts';
import { readFileData, readInlineData } from './read-media.ts';
import { presentFields } from './present-fields.ts';
import { readThoughtSignature } from './thought-signatures.ts';

export function readTurns(body: ObjectReader, reading: Reading): readonly Turn[] {
  const calls = new OpenCalls();
  const turns: Turn[] = [];
  /** The parts of the model's turn that is last, to which its next content is added. */
  let open: AssistantPart[] | undefined;
  const contents = body.objects('contents');
  if (contents.length === 0) body.invalid('contents', 'must have at least one item');
  for (const content of contents) {
    const at = content.path;
    const role = content.choice('role', ['user', 'model', 'function']) ?? 'user';
    const parts = content.objects('parts');
    content.done();
    if (role === 'model') {
      const pieces = parts.flatMap((part) => readModelPart(part, calls) ?? []);
      const added = open ?? [];
      for (const piece of pieces) addPiece(added, piece);
      // An empty one is how Google's client notes that it got no answer.
      if (open === undefined && added.length > 0) {
        turns.push({ role: 'assistant', parts: added, at });
        open = added;
      }
    } else {
      if (parts.length === 0) content.invalid('parts', 'must have at least one item');
      turns.push({
        role: 'user',
        parts: parts.flatMap((part) => readUserPart(part, calls, reading) ?? []),
        at,
      });
      open = undefined;
    }
  }
  if (turns.length === 0) body.invalid('contents', 'must say something');
  return turns;
}

/** The parts of `systemInstruction`, whose role says nothing. */
export function readSystem(body: ObjectReader): readonly TextPart[] {
  const system = body.object('systemInstruction');
  if (system === undefined) return [];
  system.pass('role');
  const parts = system.objects('parts').map((part): TextPart => {
    const text = part.requiredText('text');
    part.done();
    return { kind: 'text', text, at: part.path };
  });
  system.done();
  return parts;
}

function readUserPart(part: ObjectReader, calls: OpenCalls, reading: Reading): UserPart | undefined {
  const at = part.path;
  const field = readField(part);
  part.expect('thought', false);
  let read: UserPart | undefined;
  switch (field) {
    case 'text':
      read = { kind: 'text', text: part.requiredText('text'), at };
      break;
    case 'inlineData':
      read = readObject(part, field, (data) => readInlineData(data, at));
      break;
    case 'fileData':
      read = readObject(part, field, (data) => readFileData(data, at));
      break;
    case 'functionResponse':
      read = readObject(part, field, (response) => readFunctionResponse(response, { at, calls, reading }));
      break;
    case 'functionCall':
      part.invalid(field, 'is for the model alone');
      break;
    case 'none':
    case undefined:
  }
  part.done();
  return read;
}

function readModelPart(part: ObjectReader, calls: OpenCalls): AssistantPart | undefined {
  const at = part.path;
  const written = part.text('thoughtSignature');
  const signed = written === undefined || written === '' ? undefined : readThoughtSignature(written);
  const signature = signed?.signature;
  const isThought = part.flag('thought') ?? false;
  // A signature may come by itself, with an empty text or none.
  const field = readField(part, written !== undefined || isThought);
  let read: AssistantPart | undefined;
  if (field === 'functionCall') {
    part.expect('thought', false);
    const call = readObject(part, field, (reader) => readFunctionCall(reader, { at, calls }));
    read = call === undefined ? undefined : presentFields({ ...call, signature });
  } else if (field === 'text' || field === 'none') {
    const text = part.text('text') ?? '';
    const isRedacted = signed?.isRedacted === true ? true : undefined;
    read = isThought
      ? presentFields<AssistantPart>({ kind: 'reasoning', text, signature, isRedacted, at })
      : presentFields<AssistantPart>({ kind: 'text', text, signature, at });
  } else if (field !== undefined) {
    part.unsupported(field, 'in an answer of the model has no equivalent at the provider of this model');
  }
  part.done();
  return read;
}

/** Which of a part's fields it is; `undefined` after a refusal. */
function readField(part: ObjectReader, mayBeNone = false): Field | 'none' | undefined {
  const [field, ...others] = FIELDS.filter((name) => part.has(name));
  if (others.length > 0) return part.invalid(others[0] ?? '', `cannot stand beside '${field}'`);
  if (field !== undefined || mayBeNone) return field ?? 'none';
  // What it has is no field that is known, and is refused by its own name.
  part.done();
  return part.invalid('text', 'must be a string');
}

function readObject<T>(part: ObjectReader, name: Field, read: (reader: ObjectReader) => T): T | undefined {
  const reader = part.object(name);
  return reader === undefined ? undefined : read(reader);
}

/** Adds it to the parts so far: to the last of them, or as one more. */
function addPiece(parts: AssistantPart[], piece: AssistantPart): void {
  const joined = joinPieces(parts.at(-1), piece);
  if (joined !== undefined) parts[parts.length - 1] = joined;
  else if (!saysNothing(piece)) parts.push(piece);
}

/** The two as one part; `undefined` where the second begins a part of its own. */
function joinPieces(last: AssistantPart | undefined, piece: AssistantPart): AssistantPart | undefined {
  if (last === undefined || !isProse(last) || !isProse(piece) || last.kind !== piece.kind) return undefined;
  if (last.signature !== undefined || isRedacted(piece)) return undefined;
  return { ...piece, text: last.text + piece.text, at: last.at };
}

function saysNothing(piece: AssistantPart): boolean {
  return isProse(piece) && piece.text === '' && piece.signature === undefined;
}

function isProse(part: AssistantPart): part is Extract<AssistantPart, { kind: 'text' | 'reasoning' }> {
  return part.kind === 'text' || part.kind === 'reasoning';
}

function isRedacted(part: AssistantPart): boolean {
  return part.kind === 'reasoning' && part.isRedacted === true;
}

const FIELDS = ['text', 'inlineData', 'fileData', 'functionCall', 'functionResponse'] as const;
type Field = (typeof FIELDS)[number];
