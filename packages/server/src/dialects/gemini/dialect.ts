/** Assembles the two sides of Google's dialect, the Gemini API: `generateContent` and `streamGenerateContent`. */
import type { ClientDialect, ProviderDialect } from '../dialect.ts';
import { GeminiStreamDecoder } from './decode-stream.ts';
import { GeminiStreamEncoder } from './encode-stream.ts';
import { readAnswer } from './read-answer.ts';
import { readRequest } from './read-request.ts';
import { writeAnswer } from './write-answer.ts';
import { writeRequest } from './write-request.ts';

export const geminiClient: ClientDialect = {
  readRequest,
  writeAnswer,
  createStreamEncoder: (context) => new GeminiStreamEncoder(context),
};

export const geminiProvider: ProviderDialect = {
  endpointFor: ({ streamed }) => (streamed ? 'streamGenerateContent' : 'generateContent'),
  writeRequest,
  readAnswer,
  createStreamDecoder: () => new GeminiStreamDecoder(),
};
