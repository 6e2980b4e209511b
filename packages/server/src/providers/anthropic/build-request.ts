/**
 * Responsible for the request to Anthropic's Messages API. The client's body passes byte for byte but for two edits: the
 * model's name, and `max_tokens` where the client left it out and the call has a cap. A client's `anthropic-beta` is not
 * passed on, and the version is always this one: a call carries no headers.
 */
import { BodyEdits } from '../edit-body.ts';
import type { AnthropicEndpoint, ModelCall, UpstreamRequest } from '../provider.ts';

export const API_VERSION = '2023-06-01';

const PATHS: Readonly<Record<AnthropicEndpoint, string>> = {
  messages: '/messages',
  'messages.count_tokens': '/messages/count_tokens',
};

export function buildRequest(call: ModelCall, secret: string): UpstreamRequest {
  return {
    method: 'POST',
    path: PATHS[call.endpoint as AnthropicEndpoint],
    headers: {
      'content-type': 'application/json',
      accept: call.streamed ? 'text/event-stream' : 'application/json',
      'accept-encoding': 'identity',
      'anthropic-version': API_VERSION,
      'x-api-key': secret,
      'user-agent': 'keyfold',
    },
    body: editBody(call),
  };
}

/** Counting takes no output limit: Anthropic refuses fields that it does not know. */
function editBody(call: ModelCall): Buffer {
  const edits = new BodyEdits(call.scan);
  edits.renameModel(call);
  if (call.endpoint === 'messages' && call.outputTokensCap !== undefined) {
    edits.setWhereUnset('max_tokens', String(call.outputTokensCap));
  }
  return edits.apply();
}
