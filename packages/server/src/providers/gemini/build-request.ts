/**
 * Responsible for the request to the Gemini API (ai.google.dev, v1beta), which names the model in the path. The client's
 * body passes byte for byte but for two edits: the output limit where the client left it out and the call has a cap, and
 * the model where the body, or a request of a batch, names it once more, so that it never contradicts the path.
 */
import type { JsonObjectScan, JsonSpan } from '../../kernel/json-scan.ts';
import { BodyEdits } from '../edit-body.ts';
import type { ModelCall, UpstreamRequest } from '../provider.ts';

export function buildRequest(call: ModelCall, secret: string): UpstreamRequest {
  const isStreamed = call.endpoint === 'streamGenerateContent';
  return {
    method: 'POST',
    // Without `alt=sse` a stream is one JSON array.
    path: `/models/${encodeSegment(call.upstreamModel)}:${call.endpoint}${isStreamed ? '?alt=sse' : ''}`,
    headers: {
      'content-type': 'application/json',
      accept: isStreamed ? 'text/event-stream' : 'application/json',
      'accept-encoding': 'identity',
      'x-goog-api-key': secret,
      'user-agent': 'keyfold',
    },
    body: editBody(call),
  };
}

/** Colons and slashes would reach another method or another resource. */
function encodeSegment(name: string): string {
  if (PLAIN_SEGMENT.test(name)) return name;
  let encoded = '';
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    encoded += PLAIN_SEGMENT.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const PLAIN_SEGMENT = /^[A-Za-z0-9._-]+$/;

function editBody(call: ModelCall): Buffer {
  const edits = new BodyEdits(call.scan);
  renameModel(call.scan, call.upstreamModel, edits);
  if (call.endpoint === 'countTokens') {
    // Instead of contents it takes the whole request that is to be counted, with a model of its own.
    const counted = findEither(call.scan, COUNTED_NAMES);
    if (counted?.kind === 'object') renameModel(call.scan.fieldsOf(counted), call.upstreamModel, edits);
  } else if (call.endpoint === 'batchEmbedContents') {
    renameInBatch(call, edits);
  } else if (call.endpoint !== 'embedContent') {
    limitOutput(call, edits);
  }
  return edits.apply();
}

/** A name may be written with its collection, `models/`, or without. */
function renameModel(scan: JsonObjectScan, upstreamModel: string, edits: BodyEdits): void {
  const model = scan.field('model');
  if (model?.kind !== 'string') return;
  const written = scan.readString(model);
  const name = written.startsWith(COLLECTION) ? COLLECTION + upstreamModel : upstreamModel;
  if (written !== name) edits.replace(model, JSON.stringify(name));
}

/** Each request of a batch names the model again, and Google refuses one that is not the path's. */
function renameInBatch({ scan, upstreamModel }: ModelCall, edits: BodyEdits): void {
  const span = scan.field('requests');
  if (span?.kind !== 'array') return;
  const name = COLLECTION + upstreamModel;
  for (const item of scan.itemsOf(span)) {
    if (item.kind !== 'object') continue;
    const request = scan.fieldsOf(item);
    const model = request.field('model');
    if (model === undefined) edits.appendTo(request, 'model', JSON.stringify(name));
    else if (model.kind !== 'string' || scan.readString(model) !== name) {
      edits.replace(model, JSON.stringify(name));
    }
  }
}

/** A value of the wrong type is left for the server to refuse. */
function limitOutput({ scan, outputTokensCap }: ModelCall, edits: BodyEdits): void {
  if (outputTokensCap === undefined) return;
  const limit = String(outputTokensCap);
  const config = findEither(scan, CONFIG_NAMES);
  if (config === undefined) edits.append('generationConfig', `{"maxOutputTokens":${limit}}`);
  else if (config.kind === 'null') edits.replace(config, `{"maxOutputTokens":${limit}}`);
  else if (config.kind === 'object') {
    const inner = scan.fieldsOf(config);
    const present = findEither(inner, LIMIT_NAMES);
    if (present === undefined) edits.appendTo(inner, 'maxOutputTokens', limit);
    else if (present.kind === 'null') edits.replace(present, limit);
  }
}

/** The field under the name that has a value, else under one that is null. */
function findEither(scan: JsonObjectScan, names: readonly string[]): JsonSpan | undefined {
  const spans = names.map((name) => scan.field(name)).filter((span) => span !== undefined);
  return spans.find(({ kind }) => kind !== 'null') ?? spans[0];
}

/** The API takes every name in lower camel case or as the message defines it (protobuf.dev, "ProtoJSON format"). */
const CONFIG_NAMES = ['generationConfig', 'generation_config'] as const;
const LIMIT_NAMES = ['maxOutputTokens', 'max_output_tokens'] as const;
const COUNTED_NAMES = ['generateContentRequest', 'generate_content_request'] as const;
const COLLECTION = 'models/';
