/** The paths of the data plane: those that can spend. Every one goes through the same call path. */
import type { CallPath } from '../gateway/reading/parse-call.ts';
import type { Endpoint, GeminiEndpoint } from '../providers/provider.ts';

const PATHS: ReadonlyMap<string, Endpoint> = new Map([
  ['/v1/chat/completions', 'chat.completions'],
  ['/v1/completions', 'completions'],
  ['/v1/embeddings', 'embeddings'],
  ['/v1/responses', 'responses'],
  ['/v1/images/generations', 'images.generations'],
  ['/v1/audio/speech', 'audio.speech'],
  ['/v1/audio/transcriptions', 'audio.transcriptions'],
  ['/v1/audio/translations', 'audio.translations'],
  ['/v1/moderations', 'moderations'],
  ['/v1/messages', 'messages'],
  ['/v1/messages/count_tokens', 'messages.count_tokens'],
]);
/**
 * In Gemini's dialect the model and what is to be done with it stand in the path. Google's clients of version 3 ask for
 * `/v1`, those before and the documentation for `/v1beta`: both are served alike.
 */
const GEMINI =
  /^\/v1(?:beta)?\/models\/(.+):(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)$/;

/** `undefined` for every other path. `path` is as on the wire. */
export function findCallPath(path: string): CallPath | undefined {
  const endpoint = PATHS.get(path);
  if (endpoint !== undefined) return { endpoint, model: undefined };
  const [, model, method] = GEMINI.exec(path) ?? [];
  if (model === undefined) return undefined;
  return { endpoint: method as GeminiEndpoint, model: decode(model) };
}

/** What cannot be decoded is no model's name, and is refused as one that nobody has. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
