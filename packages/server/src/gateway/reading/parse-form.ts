/** Reads a call that is sent as a form, a recording with fields beside it, as `parse-call.ts` reads those in JSON. */
import { Denial } from '../../kernel/denial.ts';
import { JsonRefusal, type JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import { type Form, type FormPart, FormRefusal, readForm } from '../../kernel/multipart.ts';
import type { Endpoint } from '../../providers/provider.ts';
import { checkModelName } from './model-name.ts';
import type { ParsedCall } from './parsed-call.ts';
import { invalid } from './read-generation.ts';

/** The most tokens that a recording is held at: an hour and a half at OpenAI's rate, which takes 25 minutes at most. */
const RECORDING_TOKENS_MAX = 100_000;
/** Silence can be written in almost no bytes, so that a short recording may be long. */
const RECORDING_TOKENS_MIN = 50_000;
/** What would be read twice, and differently, if it were there twice. Lists are sent as one field for each item. */
const SINGLE_FIELDS = ['model', 'file', 'stream', 'response_format', 'prompt'] as const;
/** An object, which clients write as JSON or as one field for each of its own: `chunking_strategy[type]`. */
const CHUNKING = 'chunking_strategy';
/** A form has no fields in JSON. */
const NO_FIELDS = emptyScan();

const FORMS: ReadonlySet<Endpoint> = new Set<Endpoint>(['audio.transcriptions', 'audio.translations']);

export function isForm(endpoint: Endpoint): boolean {
  return FORMS.has(endpoint);
}

export function parseForm(
  endpoint: Endpoint,
  sent: { readonly body: Buffer; readonly contentType: string | undefined },
): ParsedCall | Denial {
  const form = readForm(sent.body, sent.contentType ?? '');
  if (form instanceof FormRefusal) return refuseForm(form);
  const twice = findTwice(form);
  if (twice !== undefined) return invalid(twice, 'may be sent only once');
  const model = checkModelName(readText(form, 'model') ?? '');
  if (model instanceof Denial) return model;
  const [file] = form.all('file');
  if (file === undefined || bytesOf(file) === 0) return invalid('file', 'must hold a recording');
  const stream = readText(form, 'stream') ?? 'false';
  if (stream !== 'true' && stream !== 'false') return invalid('stream', "must be 'true' or 'false'");
  const isWhole = allWithin(form, CHUNKING).length === 0;
  const tokensMax = Math.min(bytesOf(file) + RECORDING_TOKENS_MIN, RECORDING_TOKENS_MAX);
  return {
    endpoint,
    body: sent.body,
    scan: NO_FIELDS,
    form,
    model,
    streamed: stream === 'true' && endpoint === 'audio.transcriptions',
    wantsUsageChunk: false,
    outputTokensMax: undefined,
    choices: 1,
    // Cut into pieces, it is written down piece by piece, and never in more tokens than it has itself.
    tokensBeside: isWhole ? 0 : tokensMax,
    promptedTools: 0,
    mediaParts: 0,
    longParts: 0,
    mediaOutput: [],
    recording: { bytes: bytesOf(file), tokensMax, isWhole },
  };
}

function findTwice(form: Form): string | undefined {
  const single = SINGLE_FIELDS.find((name) => allWithin(form, name).length > 1);
  if (single !== undefined) return single;
  const chunking = allWithin(form, CHUNKING);
  const names = new Set(chunking.map(({ name }) => name));
  return names.size < chunking.length || (names.size > 1 && names.has(CHUNKING)) ? CHUNKING : undefined;
}

/** The field, and whatever is written as a part of it. */
function allWithin(form: Form, name: string): readonly FormPart[] {
  return form.parts.filter((part) => part.name === name || part.name.startsWith(`${name}[`));
}

function refuseForm({ reason, offset }: FormRefusal): Denial {
  if (reason === 'no_boundary') {
    return new Denial('invalid_request', {
      param: 'content-type',
      message: "The content type must be 'multipart/form-data' with one boundary.",
      reason,
    });
  }
  return new Denial('invalid_request', {
    message: `The body is not an acceptable form: ${reason.replaceAll('_', ' ')} at byte ${offset}.`,
    reason,
  });
}

/** A field of text; a file or bytes of another kind are none. */
function readText(form: Form, name: string): string | undefined {
  const [part] = form.all(name);
  if (part === undefined) return undefined;
  return part.isFile ? '' : (form.readText(part) ?? '');
}

function bytesOf({ contentStart, contentEnd }: FormPart): number {
  return contentEnd - contentStart;
}

function emptyScan(): JsonObjectScan {
  const scan = scanJsonObject(Buffer.from('{}'));
  if (scan instanceof JsonRefusal) throw new TypeError('an empty object is JSON');
  return scan;
}
