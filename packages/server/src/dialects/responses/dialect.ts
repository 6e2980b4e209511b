/** OpenAI's Responses API: a dialect that clients speak, whatever the vendor of the model. */
import type { ClientDialect } from '../dialect.ts';
import { ResponsesStreamEncoder } from './encode-stream.ts';
import { readRequest } from './read-request.ts';
import { writeAnswer } from './write-answer.ts';

export const responsesClient: ClientDialect = {
  readRequest,
  writeAnswer,
  createStreamEncoder: (context) => new ResponsesStreamEncoder(context),
};
