/** Responsible for the content of the Responses API's items: a string, or a list of typed parts. */
import type { FilePart, ImagePart, RefusalPart, TextPart } from '../chat.ts';
import { given } from '../openai/given.ts';
import { readDetail } from '../openai/read-content.ts';
import { readFileData, readImageUrl } from '../openai/read-media.ts';
import type { ObjectReader } from '../reading.ts';

/** What a user says, and what a tool gives back. */
export function readInputContent(
  item: ObjectReader,
  name: string,
): readonly (TextPart | ImagePart | FilePart)[] {
  return readContent<ImagePart | FilePart>(item, name, (part, type) => {
    if (type === 'input_text') return readText(part);
    if (type === 'input_image') return readImage(part);
    return type === 'input_file' ? readFile(part) : refuseType(part, 'input_text, input_image, input_file');
  });
}

export function readInstruction(item: ObjectReader): readonly TextPart[] {
  return readContent<TextPart>(item, 'content', (part, type) =>
    type === 'input_text' ? readText(part) : refuseType(part, 'input_text'),
  );
}

/** What an answer said, as it was given or in the client's own words. */
export function readOutputContent(item: ObjectReader): readonly (TextPart | RefusalPart)[] {
  return readContent<RefusalPart>(item, 'content', (part, type) => {
    if (type === 'refusal') return { kind: 'refusal', at: part.path, text: part.requiredText('refusal') };
    return type === 'output_text' ? readOutputText(part) : refuseType(part, 'output_text, refusal');
  });
}

function readContent<Part>(
  item: ObjectReader,
  name: string,
  readPart: (part: ObjectReader, type: string) => Part | TextPart | undefined,
): readonly (Part | TextPart)[] {
  const content = item.value(name);
  if (typeof content === 'string') return [{ kind: 'text', at: item.pathOf(name), text: content }];
  if (!Array.isArray(content)) {
    item.invalid(name, 'must be a string or a list of parts');
    return [];
  }
  return item.objects(name).flatMap((part) => {
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

function readOutputText(part: ObjectReader): TextPart {
  // Text without citations has an empty list of them.
  if (part.list('annotations').length > 0) part.unsupported('annotations');
  // How sure the model was of what it said is no part of what it said.
  part.pass('logprobs');
  return readText(part);
}

function readImage(part: ObjectReader): ImagePart | undefined {
  if (part.has('file_id')) return refuseFileId(part, 'image_url');
  const source = readImageUrl(part, 'image_url');
  const detail = readDetail(part);
  return source === undefined ? undefined : { kind: 'image', at: part.path, source, ...given({ detail }) };
}

function readFile(part: ObjectReader): FilePart | undefined {
  if (part.has('file_id')) return refuseFileId(part, 'file_data');
  part.expect('detail', 'auto');
  const name = part.text('filename');
  const url = part.text('file_url');
  if (url !== undefined && !part.has('file_data')) {
    if (!url.startsWith('https://')) return part.invalid('file_url', 'must be an https address');
    return { kind: 'file', at: part.path, source: { kind: 'url', url }, ...given({ name }) };
  }
  const source = readFileData(part, 'file_data');
  if (url !== undefined) return part.invalid('file_url', "must not be there together with 'file_data'");
  return source === undefined ? undefined : { kind: 'file', at: part.path, source, ...given({ name }) };
}

function refuseFileId(part: ObjectReader, instead: string): undefined {
  return part.unsupported('file_id', `is known to its own vendor only: send ${instead}`);
}
