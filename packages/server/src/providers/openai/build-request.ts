/** Responsible for the request to OpenAI. Its reasoning models refuse a limit on chat output under the older name. */
import { buildRequest as buildCompatible } from '../openai-compatible/build-request.ts';
import type { ModelCall, UpstreamRequest } from '../provider.ts';

export function buildRequest(call: ModelCall, secret: string): UpstreamRequest {
  return buildCompatible(call, secret, 'max_completion_tokens');
}
