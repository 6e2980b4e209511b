/**
 * Responsible for the request to an OpenAI-compatible server. The client's body passes byte for byte but for three
 * edits: the model's name, `stream_options.include_usage`, and the output limit where the server would not see one.
 */
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import type { Endpoint, ModelCall, UpstreamRequest } from '../provider.ts';

/** The name under which a server takes a limit on chat output. OpenAI's reasoning models refuse the older `max_tokens`. */
export type ChatLimitField = 'max_tokens' | 'max_completion_tokens';

const PATHS: Readonly<Record<Endpoint, string>> = {
  'chat.completions': '/chat/completions',
  completions: '/completions',
  embeddings: '/embeddings',
};

export function buildRequest(
  call: ModelCall,
  secret: string,
  chatLimitField: ChatLimitField,
): UpstreamRequest {
  return {
    method: 'POST',
    path: PATHS[call.endpoint],
    headers: {
      'content-type': 'application/json',
      accept: call.streamed ? 'text/event-stream' : 'application/json',
      'accept-encoding': 'identity',
      authorization: `Bearer ${secret}`,
      'user-agent': 'keyfold',
    },
    body: editBody(call, chatLimitField),
  };
}

/** Replaces the bytes from `start` to `end`; an insertion where they are equal. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function editBody(call: ModelCall, chatLimitField: ChatLimitField): Buffer {
  const edits: Edit[] = [];
  const appended: string[] = [];
  renameModel(call, edits);
  if (call.endpoint !== 'embeddings') {
    if (call.streamed) requestUsage(call.scan, edits, appended);
    limitOutput(call, chatLimitField, { edits, appended });
  }
  if (appended.length > 0) {
    edits.push(insertFields(call.scan, appended));
  }
  return edits.length === 0 ? call.body : splice(call.body, edits);
}

function renameModel(call: ModelCall, edits: Edit[]): void {
  const model = call.scan.field('model');
  if (model?.kind !== 'string' || call.scan.readString(model) === call.upstreamModel) return;
  edits.push({ start: model.start, end: model.end, text: JSON.stringify(call.upstreamModel) });
}

/** A value of the wrong type is left for the server to refuse. */
function requestUsage(scan: JsonObjectScan, edits: Edit[], appended: string[]): void {
  const options = scan.field('stream_options');
  if (options === undefined) {
    appended.push('"stream_options":{"include_usage":true}');
  } else if (options.kind === 'null') {
    edits.push({ start: options.start, end: options.end, text: '{"include_usage":true}' });
  } else if (options.kind === 'object') {
    const inner = scan.fieldsOf(options);
    const asked = inner.field('include_usage');
    if (asked === undefined) edits.push(insertFields(inner, ['"include_usage":true']));
    else if (asked.kind === 'false' || asked.kind === 'null') {
      edits.push({ start: asked.start, end: asked.end, text: 'true' });
    }
  }
}

/** The client's limit may stand under a name that the server passes over: it is written under the one that counts. */
function limitOutput(
  call: ModelCall,
  chatLimitField: ChatLimitField,
  to: { readonly edits: Edit[]; readonly appended: string[] },
): void {
  const limit = call.outputTokensMax ?? call.outputTokensCap;
  if (limit === undefined) return;
  const field = call.endpoint === 'completions' ? 'max_tokens' : chatLimitField;
  // OpenAI takes either name, and refuses both together.
  const older = call.scan.field('max_tokens');
  if (field === 'max_completion_tokens' && older !== undefined && older.kind !== 'null') return;
  setWhereUnset(call, { field, value: String(limit), ...to });
}

/** Replaces an explicit null, since a second field of the same name would be a duplicate. */
function setWhereUnset(
  call: ModelCall,
  { field, value, edits, appended }: { field: string; value: string; edits: Edit[]; appended: string[] },
): void {
  const present = call.scan.field(field);
  if (present === undefined) appended.push(`"${field}":${value}`);
  else if (present.kind === 'null') edits.push({ start: present.start, end: present.end, text: value });
}

function insertFields(object: JsonObjectScan, fields: readonly string[]): Edit {
  const text = fields.join(',');
  return { start: object.closingBrace, end: object.closingBrace, text: object.isEmpty ? text : `,${text}` };
}

function splice(body: Buffer, edits: Edit[]): Buffer {
  edits.sort((left, right) => left.start - right.start);
  let length = body.length;
  for (const edit of edits) length += Buffer.byteLength(edit.text) - (edit.end - edit.start);
  const edited = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const edit of edits) {
    to += body.copy(edited, to, from, edit.start);
    to += edited.write(edit.text, to);
    from = edit.end;
  }
  body.copy(edited, to, from);
  return edited;
}
