/** Responsible for the `content` of a message: a string, or a list of typed parts. */
import type { RefusalPart, TextPart, UserPart } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { given } from './given.ts';
import { readBase64, readFileData, readImageUrl } from './read-media.ts';

/** The texts of an instruction or of a tool's result. */
export function readTexts(message: ObjectReader): readonly TextPart[] {
  return readContent(message, (part, type) => (type === 'text' ? readText(part) : refuseType(part, TEXT)));
}

export function readUserContent(message: ObjectReader): readonly UserPart[] {
  return readContent<UserPart>(message, (part, type) => {
    if (type === 'text') return readText(part);
    if (type === 'image_url') return readImage(part);
    if (type === 'input_audio') return readAudio(part);
    return type === 'file' ? readFile(part) : refuseType(part, USER_TYPES);
  });
}

/** None where it is absent: an assistant that only calls tools says nothing. */
export function readAssistantContent(message: ObjectReader): readonly (TextPart | RefusalPart)[] {
  if (!message.has('content')) return [];
  return readContent<TextPart | RefusalPart>(message, (part, type) => {
    if (type === 'text') return readText(part);
    return type === 'refusal' ? readRefusal(part) : refuseType(part, ASSISTANT_TYPES);
  });
}

const TEXT = 'text';
const USER_TYPES = 'text, image_url, input_audio, file';
const ASSISTANT_TYPES = 'text, refusal';

function readContent<Part>(
  message: ObjectReader,
  readPart: (part: ObjectReader, type: string) => Part | undefined,
): readonly (Part | TextPart)[] {
  const content = message.value('content');
  if (typeof content === 'string') return [{ kind: 'text', at: message.pathOf('content'), text: content }];
  if (!Array.isArray(content) || content.length === 0) {
    message.invalid('content', 'must be a string or a list of parts');
    return [];
  }
  return message.objects('content').flatMap((part) => {
    const read = readPart(part, part.requiredText('type'));
    // Where OpenAI is to end what it caches: other vendors cache by themselves, and no answer changes by it.
    part.pass('prompt_cache_breakpoint');
    part.done();
    return read === undefined ? [] : [read];
  });
}

function refuseType(part: ObjectReader, types: string): undefined {
  return part.invalid('type', `must be one of ${types}`);
}

function readText(part: ObjectReader): TextPart {
  return { kind: 'text', at: part.path, text: part.requiredText('text') };
}

function readRefusal(part: ObjectReader): RefusalPart {
  return { kind: 'refusal', at: part.path, text: part.requiredText('refusal') };
}

function readImage(part: ObjectReader): UserPart | undefined {
  const image = part.object('image_url');
  if (image === undefined) return part.invalid('image_url', 'must be an object');
  const source = readImageUrl(image, 'url');
  const detail = readDetail(image);
  image.done();
  return source === undefined ? undefined : { kind: 'image', at: part.path, source, ...given({ detail }) };
}

/** How closely the model is to look at an image. */
export function readDetail(image: ObjectReader): 'low' | 'high' | 'auto' | undefined {
  const detail = image.choice('detail', ['low', 'high', 'auto', 'original']);
  return detail === 'original' ? image.unsupported('detail') : detail;
}

function readAudio(part: ObjectReader): UserPart | undefined {
  const audio = part.object('input_audio');
  if (audio === undefined) return part.invalid('input_audio', 'must be an object');
  const base64 = readBase64(audio, 'data');
  const format = audio.choice('format', ['wav', 'mp3']) ?? audio.invalid('format', 'must be one of wav, mp3');
  audio.done();
  return { kind: 'audio', at: part.path, source: { kind: 'data', mediaType: `audio/${format}`, base64 } };
}

function readFile(part: ObjectReader): UserPart | undefined {
  const file = part.object('file');
  if (file === undefined) return part.invalid('file', 'must be an object');
  if (file.has('file_id'))
    return file.unsupported('file_id', 'is known to its own vendor only: send file_data');
  const source = readFileData(file, 'file_data');
  const name = file.text('filename');
  file.done();
  return source === undefined ? undefined : { kind: 'file', at: part.path, source, ...given({ name }) };
}
