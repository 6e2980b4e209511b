/** Responsible for watching OpenAI's own streams: they are the compatible ones, and their usage is read as OpenAI's. */
import { hasTypedEvents, TypedEventsTap } from '../openai-compatible/typed-events-tap.ts';
import { OpenAiStreamTap } from '../openai-compatible/usage-tap.ts';
import type { ModelCall, StreamTap } from '../provider.ts';
import { mapUsage } from './map-usage.ts';

export function createStreamTap(call: ModelCall): StreamTap {
  if (hasTypedEvents(call.endpoint)) return new TypedEventsTap(call.endpoint, mapUsage);
  return new OpenAiStreamTap(call, { mapUsage, interruptions: [] });
}
