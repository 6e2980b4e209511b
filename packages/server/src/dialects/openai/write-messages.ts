/**
 * Responsible for the messages to an OpenAI-compatible server. Text alone is written as one string, since DeepSeek and
 * others take no list of parts; paragraphs keep apart what the client sent as several texts.
 */
import type {
  AssistantPart,
  AudioPart,
  ChatRequest,
  FilePart,
  ImagePart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
  Turn,
  UserPart,
} from '../chat.ts';
import type { Reading } from '../reading.ts';
import { isReasoningField } from './answer-fields.ts';
import { writeCallId } from './call-ids.ts';
import { given } from './given.ts';
import { joinText } from './join-text.ts';
import { IMAGE_TYPES } from './read-media.ts';
import { NAME_PATTERN, NAME_REFUSAL } from './read-schema.ts';

export function writeMessages({ system, turns }: ChatRequest, reading: Reading): readonly object[] {
  const instructions = system.length === 0 ? [] : [{ role: 'system', content: joinTexts(system) }];
  return [...instructions, ...turns.flatMap((turn) => writeTurn(turn, reading))];
}

function writeTurn(turn: Turn, reading: Reading): readonly object[] {
  if (turn.role === 'system') return [{ role: 'system', content: joinTexts(turn.parts) }];
  if (turn.role === 'assistant') return [writeAssistant(turn.parts, reading)];
  // Results are messages of their own, and must follow their calls at once.
  const results = turn.parts.filter((part) => part.kind === 'tool_result');
  const said = turn.parts.filter((part) => part.kind !== 'tool_result');
  const messages: object[] = results.map((result) => writeResult(result, reading));
  if (said.length > 0) messages.push({ role: 'user', content: writeSaid(said, reading) });
  return messages;
}

type SaidPart = Exclude<UserPart, ToolResultPart>;

function writeSaid(parts: readonly SaidPart[], reading: Reading): string | readonly unknown[] {
  const texts = parts.filter((part) => part.kind === 'text');
  return texts.length === parts.length ? joinTexts(texts) : parts.map((part) => writePart(part, reading));
}

function joinTexts(parts: readonly TextPart[]): string {
  return parts.map(({ text }) => text).join('\n\n');
}

function writePart(part: SaidPart, reading: Reading): object | undefined {
  switch (part.kind) {
    case 'text':
      return { type: 'text', text: part.text };
    case 'image':
      return writeImage(part, reading);
    case 'audio':
      return writeAudio(part, reading);
    case 'file':
      return writeFile(part, reading);
  }
}

function writeImage({ at, source, detail }: ImagePart, reading: Reading): object | undefined {
  if (source.kind === 'data' && !IMAGE_TYPES.includes(source.mediaType)) {
    return reading.unsupported(at, `must be one of ${IMAGE_TYPES.join(', ')} for the provider of this model`);
  }
  const url = source.kind === 'url' ? source.url : dataUrl(source);
  if (!/^(?:https?|data):/.test(url)) return reading.unsupported(at, 'must be at an https address');
  return { type: 'image_url', image_url: { url, ...given({ detail }) } };
}

function writeAudio({ at, source }: AudioPart, reading: Reading): object | undefined {
  const format = source.kind === 'data' ? AUDIO_FORMATS[source.mediaType] : undefined;
  if (source.kind === 'url' || format === undefined) {
    return reading.unsupported(at, 'must hold WAV or MP3 data for the provider of this model');
  }
  return { type: 'input_audio', input_audio: { data: source.base64, format } };
}

const AUDIO_FORMATS: Readonly<Record<string, 'wav' | 'mp3'>> = {
  'audio/wav': 'wav',
  'audio/wave': 'wav',
  'audio/x-wav': 'wav',
  'audio/mp3': 'mp3',
  'audio/mpeg': 'mp3',
};

function writeFile({ at, source, name }: FilePart, reading: Reading): object | undefined {
  if (source.kind === 'url') {
    return reading.unsupported(at, 'must hold its data: the provider of this model fetches no documents');
  }
  // OpenAI refuses data without a name, whatever the name is.
  return { type: 'file', file: { filename: name ?? 'document', file_data: dataUrl(source) } };
}

function dataUrl({ mediaType, base64 }: { readonly mediaType: string; readonly base64: string }): string {
  return `data:${mediaType};base64,${base64}`;
}

function writeResult({ callId, content, isError }: ToolResultPart, reading: Reading): object {
  const texts = content.filter((part) => part.kind === 'text');
  for (const part of content) {
    if (part.kind !== 'text') {
      reading.unsupported(
        part.at,
        "must be text: a tool's result is text alone at the provider of this model",
      );
    }
  }
  // There is no field for it: that a tool has failed is said in its result.
  const text = isError ? `Error: ${joinTexts(texts)}` : joinTexts(texts);
  return { role: 'tool', tool_call_id: writeCallId(callId), content: text };
}

/** A message has no order between what was said and what was called. */
function writeAssistant(parts: readonly AssistantPart[], reading: Reading): object {
  const text = joinText(parts, 'text');
  const calls = parts.flatMap((part) => (part.kind === 'tool_call' ? [writeCall(part, reading)] : []));
  const refusal = joinText(parts, 'refusal');
  return {
    role: 'assistant',
    // Where there is nothing else, some servers refuse a message without content.
    content: text ?? (calls.length > 0 || refusal !== undefined ? null : ''),
    ...given({ refusal, tool_calls: calls.length > 0 ? calls : undefined }),
    ...writeReasoning(parts),
  };
}

function writeCall({ at, id, name, argumentsJson }: ToolCallPart, reading: Reading): object {
  if (!NAME_PATTERN.test(name)) reading.unsupported(at, NAME_REFUSAL);
  return { id: writeCallId(id), type: 'function', function: { name, arguments: argumentsJson } };
}

/**
 * Reasoning goes back in the field in which such a server gave it: DeepSeek refuses a history with tool calls without it.
 * Any other is left out: it is another vendor's model's, and OpenAI itself and many servers refuse to take it.
 */
function writeReasoning(parts: readonly AssistantPart[]): object {
  const texts = new Map<string, string>();
  for (const part of parts) {
    const field = part.kind === 'reasoning' && part.signature?.by === 'openai' ? part.signature.value : '';
    if (part.kind === 'reasoning' && isReasoningField(field)) {
      texts.set(field, `${texts.get(field) ?? ''}${part.text}`);
    }
  }
  return Object.fromEntries(texts);
}
