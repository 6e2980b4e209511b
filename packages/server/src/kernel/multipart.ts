/**
 * Responsible for reading a form (RFC 7578, `multipart/form-data`) out of a whole body without copying it: one strict pass
 * notes where its parts lie, so that callers read the few that they need and pass the bytes on as they are. What two
 * readers may take differently is refused: text around the parts, lines that only begin like a boundary, a name said twice.
 */
import { isUtf8 } from 'node:buffer';

/** The most parts that a form may have. A transcription has some ten. */
export const FORM_PARTS_MAX = 64;
/** The most bytes that the headers of one part may have. */
export const PART_HEAD_BYTES_MAX = 4_096;

export interface FormPart {
  readonly name: string;
  /** It was sent as a file. */
  readonly isFile: boolean;
  /** Offsets into the body: of its headers, and of its content. */
  readonly start: number;
  readonly contentStart: number;
  readonly contentEnd: number;
}

export type FormRefusalReason =
  | 'no_boundary'
  | 'malformed'
  | 'unterminated'
  | 'too_many_parts'
  | 'head_too_long'
  | 'ambiguous_name';

export class FormRefusal {
  readonly reason: FormRefusalReason;
  /** Where in the body. */
  readonly offset: number;

  constructor(reason: FormRefusalReason, offset: number) {
    this.reason = reason;
    this.offset = offset;
  }
}

/** A form that has been read. Its body must not change. */
export class Form {
  readonly body: Buffer;
  readonly boundary: string;
  readonly parts: readonly FormPart[];

  constructor(body: Buffer, boundary: string, parts: readonly FormPart[]) {
    this.body = body;
    this.boundary = boundary;
    this.parts = parts;
  }

  all(name: string): readonly FormPart[] {
    return this.parts.filter((part) => part.name === name);
  }

  /** The content as text; `undefined` where it is none. */
  readText({ contentStart, contentEnd }: FormPart): string | undefined {
    const bytes = this.body.subarray(contentStart, contentEnd);
    return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
  }

  /** The body with another text for the field, whose headers are written anew: they might tell its length. */
  withText(part: FormPart, text: string): Buffer {
    const head = `Content-Disposition: form-data; name="${part.name}"\r\n\r\n`;
    return Buffer.concat([
      this.body.subarray(0, part.start),
      Buffer.from(head + text),
      this.body.subarray(part.contentEnd),
    ]);
  }

  get contentType(): string {
    // Not every server takes the quotes where they are not needed.
    const isToken = TOKEN.test(this.boundary);
    return `multipart/form-data; boundary=${isToken ? this.boundary : `"${this.boundary}"`}`;
  }
}

/** The one boundary that a content type names, if it is that of a form. */
export function readBoundary(contentType: string): string | undefined {
  const [type = '', ...parameters] = contentType.split(';');
  if (type.trim().toLowerCase() !== 'multipart/form-data') return undefined;
  const boundaries = parameters.flatMap((parameter) => BOUNDARY.exec(parameter)?.slice(1) ?? []);
  const [quoted, plain] = boundaries;
  const boundary = quoted ?? plain;
  // Two groups for each parameter that matches.
  return boundaries.length === 2 && boundary !== undefined && !boundary.endsWith(' ') ? boundary : undefined;
}

/** Checks the whole of `body`, in time linear in its length. Never throws. */
export function readForm(body: Buffer, contentType: string): Form | FormRefusal {
  const boundary = readBoundary(contentType);
  if (boundary === undefined) return new FormRefusal('no_boundary', 0);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first delimiter has no line before it.
  if (!body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2))) {
    return new FormRefusal('malformed', 0);
  }
  const parts: FormPart[] = [];
  for (let at = delimiter.length - 2; ;) {
    if (body.subarray(at, at + 2).equals(DASHES)) {
      const rest = body.subarray(at + 2);
      const isEnd = rest.length === 0 || rest.equals(CRLF);
      return isEnd ? new Form(body, boundary, parts) : new FormRefusal('malformed', at + 2);
    }
    if (parts.length === FORM_PARTS_MAX) return new FormRefusal('too_many_parts', at);
    const part = readPart(body, { at, delimiter });
    if (part instanceof FormRefusal) return part;
    parts.push(part);
    at = part.contentEnd + delimiter.length;
  }
}

function readPart(
  body: Buffer,
  { at, delimiter }: { readonly at: number; readonly delimiter: Buffer },
): FormPart | FormRefusal {
  if (!body.subarray(at, at + 2).equals(CRLF)) return new FormRefusal('malformed', at);
  const start = at + 2;
  const head = body.subarray(start, start + PART_HEAD_BYTES_MAX);
  const headEnd = head.indexOf(BLANK_LINE);
  if (headEnd === NONE) {
    const isLong = start + PART_HEAD_BYTES_MAX < body.length;
    return new FormRefusal(isLong ? 'head_too_long' : 'unterminated', start);
  }
  const named = readHead(head.subarray(0, headEnd));
  if (named === undefined) return new FormRefusal('ambiguous_name', start);
  const contentStart = start + headEnd + BLANK_LINE.length;
  const contentEnd = body.indexOf(delimiter, contentStart);
  return contentEnd === NONE
    ? new FormRefusal('unterminated', contentStart)
    : { ...named, start, contentStart, contentEnd };
}

/** `undefined` unless the headers leave no doubt about the name. */
function readHead(head: Buffer): Pick<FormPart, 'name' | 'isFile'> | undefined {
  if (!isUtf8(head)) return undefined;
  const headers = new Map<string, string>();
  for (const line of head.toString('utf8').split('\r\n')) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) return undefined;
    headers.set(name.toLowerCase(), value);
  }
  const disposition = headers.get('content-disposition') ?? '';
  // Base64 and its like are not decoded by those who read forms.
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase() ?? 'binary';
  if (!/^form-data *;/i.test(disposition) || !PLAIN_ENCODINGS.has(encoding)) return undefined;
  return readDisposition(disposition.slice(disposition.indexOf(';')));
}

function readDisposition(text: string): Pick<FormPart, 'name' | 'isFile'> | undefined {
  const parameters = new Map<string, string>();
  let rest = text;
  while (rest !== '') {
    const [whole, key, quoted, plain] = PARAMETER.exec(rest) ?? [];
    if (whole === undefined || key === undefined || parameters.has(key.toLowerCase())) return undefined;
    parameters.set(key.toLowerCase(), quoted ?? plain ?? '');
    rest = rest.slice(whole.length);
  }
  const name = parameters.get('name') ?? '';
  // An extended name would be another name for some; a backslash escapes for some only.
  const isPlain = NAME.test(name) && !parameters.has('name*');
  const isFile = parameters.has('filename') || parameters.has('filename*');
  return isPlain ? { name, isFile } : undefined;
}

const NONE = -1;
const CRLF = Buffer.from('\r\n');
const BLANK_LINE = Buffer.from('\r\n\r\n');
const DASHES = Buffer.from('--');
/** RFC 2046, section 5.1.1, in quotes where they are needed. */
const BOUNDARY = /^ *boundary=(?:"([\w'()+,./:=? -]{1,70})"|([\w'()+,./:=?-]{1,70})) *$/i;
// oxlint-disable-next-line no-control-regex
const HEADER = /^([!#$%&'*+.^_`|~\w-]{1,64}): *([^\u0000-\u001f\u007f]*)$/;
const PARAMETER = /^ *; *([!#$%&'*+.^_`|~\w-]{1,64})=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\w-]*)) */;
const TOKEN = /^[\w'+.-]+$/;
const NAME = /^[^"\\\r\n]{1,128}$/;
const PLAIN_ENCODINGS: ReadonlySet<string> = new Set(['binary', '8bit', '7bit']);
