/** Responsible for watching OpenAI's own streams: they are the compatible ones, and their usage is read as OpenAI's. */
import { OpenAiStreamTap } from '../openai-compatible/usage-tap.ts';
import type { ModelCall, StreamTap } from '../provider.ts';
import { TypedEventsTap } from './typed-events-tap.ts';
import { mapUsage } from './map-usage.ts';

export function createStreamTap(call: ModelCall): StreamTap {
  if (call.endpoint === 'responses') return new TypedEventsTap(call.endpoint);
  return new OpenAiStreamTap(call, { mapUsage, interruptions: [] });
}
