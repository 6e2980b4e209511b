/** Assembles the two sides of Anthropic's Messages API. */
import type { ClientDialect, ProviderDialect } from '../dialect.ts';
import { AnthropicStreamDecoder } from './decode-stream.ts';
import { AnthropicStreamEncoder } from './encode-stream.ts';
import { readAnswer } from './read-answer.ts';
import { readRequest } from './read-request.ts';
import { writeAnswer } from './write-answer.ts';
import { writeRequest } from './write-request.ts';

export const anthropicClient: ClientDialect = {
  readRequest,
  writeAnswer,
  createStreamEncoder: (context) => new AnthropicStreamEncoder(context),
};

export const anthropicProvider: ProviderDialect = {
  endpointFor: () => 'messages',
  writeRequest,
  readAnswer,
  createStreamDecoder: () => new AnthropicStreamDecoder(),
};
