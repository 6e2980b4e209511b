/**
 * Responsible for watching DeepSeek's streams, which are compatible ones: comments keep them alive while a call waits, and
 * usage rides on the last piece of the answer. A stream that DeepSeek itself breaks off ends like any other, and only its
 * finish reason tells.
 */
import { OpenAiStreamTap } from '../openai-compatible/usage-tap.ts';
import type { ModelCall, StreamTap } from '../provider.ts';
import { mapUsage } from './map-usage.ts';

export function createStreamTap(call: ModelCall): StreamTap {
  return new OpenAiStreamTap(call, { mapUsage, interruptions: ['insufficient_system_resource', 'aborted'] });
}
