/** OpenAI's chat completions: the dialect of its clients, and of every server that is compatible with them. */
import type { ClientDialect, ProviderDialect } from '../dialect.ts';
import { OpenAiStreamDecoder } from './decode-stream.ts';
import { OpenAiStreamEncoder } from './encode-stream.ts';
import { readAnswer } from './read-answer.ts';
import { readRequest } from './read-request.ts';
import { writeAnswer } from './write-answer.ts';
import { writeRequest } from './write-request.ts';

export const openaiClient: ClientDialect = {
  readRequest,
  writeAnswer,
  createStreamEncoder: (context) => new OpenAiStreamEncoder(context),
};

export const openaiProvider: ProviderDialect = {
  endpointFor: () => 'chat.completions',
  writeRequest,
  readAnswer,
  createStreamDecoder: () => new OpenAiStreamDecoder(),
};
