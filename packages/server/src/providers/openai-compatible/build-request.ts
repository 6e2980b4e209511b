/**
 * Responsible for the request to an OpenAI-compatible server. The client's body passes byte for byte but for three
 * edits: the model's name, `stream_options.include_usage`, and the output limit where the server would not see one.
 */
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import type { Form } from '../../kernel/multipart.ts';
import { BodyEdits } from '../edit-body.ts';
import {
  type Endpoint,
  MODERATION_MODEL,
  type ModelCall,
  type OpenAiEndpoint,
  type UpstreamRequest,
} from '../provider.ts';

/** The name under which a server takes a limit on chat output: the older one is the one that every server knows. */
export type ChatLimitField = 'max_tokens' | 'max_completion_tokens';
type LimitField = ChatLimitField | 'max_output_tokens';

const PATHS: Readonly<Record<OpenAiEndpoint, string>> = {
  'chat.completions': '/chat/completions',
  completions: '/completions',
  embeddings: '/embeddings',
  responses: '/responses',
  'images.generations': '/images/generations',
  'audio.speech': '/audio/speech',
  'audio.transcriptions': '/audio/transcriptions',
  'audio.translations': '/audio/translations',
  moderations: '/moderations',
};

/** What else than JSON may come back. */
const ACCEPTED: Readonly<Partial<Record<Endpoint, string>>> = {
  'audio.speech': '*/*',
  'audio.transcriptions': '*/*',
  'audio.translations': '*/*',
};

export function buildRequest(
  call: ModelCall,
  secret: string,
  chatLimitField: ChatLimitField = 'max_tokens',
): UpstreamRequest {
  return {
    method: 'POST',
    path: PATHS[call.endpoint as OpenAiEndpoint],
    headers: {
      'content-type': call.form?.contentType ?? 'application/json',
      accept: call.streamed ? 'text/event-stream' : (ACCEPTED[call.endpoint] ?? 'application/json'),
      'accept-encoding': 'identity',
      authorization: `Bearer ${secret}`,
      'user-agent': 'keyfold',
    },
    body:
      call.form === undefined ? editBody(call, chatLimitField) : renameInForm(call.form, call.upstreamModel),
  };
}

/** All else passes byte for byte. */
function renameInForm(form: Form, upstreamModel: string): Buffer {
  const [model] = form.all('model');
  const isNamed = model === undefined || form.readText(model) === upstreamModel;
  return isNamed ? form.body : form.withText(model, upstreamModel);
}

function editBody(call: ModelCall, chatLimitField: ChatLimitField): Buffer {
  const edits = new BodyEdits(call.scan);
  edits.renameModel(call);
  // A body without a model means this one.
  if (call.endpoint === 'moderations' && call.upstreamModel !== MODERATION_MODEL) {
    edits.setWhereUnset('model', JSON.stringify(call.upstreamModel));
  }
  const limitField = limitFieldOf(call.endpoint, chatLimitField);
  if (limitField !== undefined) {
    if (call.streamed && call.endpoint !== 'responses') requestUsage(call.scan, edits);
    limitOutput(call, limitField, edits);
  }
  return edits.apply();
}

/** `undefined` where nothing is generated whose length could be limited. */
function limitFieldOf(endpoint: Endpoint, chatLimitField: ChatLimitField): LimitField | undefined {
  if (endpoint === 'chat.completions') return chatLimitField;
  if (endpoint === 'responses') return 'max_output_tokens';
  return endpoint === 'completions' ? 'max_tokens' : undefined;
}

/** A value of the wrong type is left for the server to refuse. */
function requestUsage(scan: JsonObjectScan, edits: BodyEdits): void {
  const options = scan.field('stream_options');
  if (options?.kind !== 'object') {
    edits.setWhereUnset('stream_options', '{"include_usage":true}');
    return;
  }
  const inner = scan.fieldsOf(options);
  const asked = inner.field('include_usage');
  if (asked === undefined) edits.appendTo(inner, 'include_usage', 'true');
  else if (asked.kind === 'false' || asked.kind === 'null') edits.replace(asked, 'true');
}

/** The client's limit may stand under a name that the server passes over: it is written under the one that counts. */
function limitOutput(call: ModelCall, field: LimitField, edits: BodyEdits): void {
  const limit = call.outputTokensMax ?? call.outputTokensCap;
  if (limit === undefined) return;
  // OpenAI takes either name, and refuses both together.
  const older = call.scan.field('max_tokens');
  if (field === 'max_completion_tokens' && older !== undefined && older.kind !== 'null') return;
  edits.setWhereUnset(field, String(limit));
}
