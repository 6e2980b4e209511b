/** Test support: Anthropic's Messages API, as the types of its own client `@anthropic-ai/sdk` declare it. */
import { readMessages } from './anthropic-messages.ts';
import { countBody, messageBody } from './anthropic-request.ts';
import { writeMessage, writeMessageStream } from './anthropic-answer.ts';
import { type Fields, fieldsIn, oneOf, refuse } from './strict.ts';
import { type Format, type Heard, type Request, settingsOf } from './vendor.ts';

/** "Errors", platform.claude.com. */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

export function anthropicFormat(secret: string): Format {
  return {
    secret,
    secretOf: ({ headers }) =>
      headers['anthropic-version'] === '2023-06-01' ? [headers['x-api-key']].flat()[0] : undefined,
    hear,
    writeWhole: ({ path, body }, saying) =>
      path.endsWith('/count_tokens') ? { input_tokens: saying.tokens.input } : writeMessage(body, saying),
    writeStream: ({ body }, saying) => writeMessageStream(body, saying),
    writeError: (status, { message }) => ({
      type: 'error',
      error: { type: ERROR_TYPES[status] ?? 'api_error', message },
      request_id: 'req_stand_in',
    }),
  };
}

function hear({ path, body }: Request): Heard {
  oneOf('/v1/messages', '/v1/messages/count_tokens')(path, 'path');
  const isCount = path.endsWith('/count_tokens');
  if (isCount) countBody(body, '');
  else checkMessage(body);
  const output = body['output_config'] as { effort?: string; format?: { schema: unknown } } | undefined;
  const thinking = body['thinking'] as { budget_tokens?: number } | undefined;
  return {
    ...readMessages(body),
    tools: fieldsIn(body['tools']).map((tool) => String(tool['name'])),
    settings: settingsOf({
      limit: body['max_tokens'],
      stop: body['stop_sequences'],
      schema: output?.format?.schema,
      effort: output?.effort,
      budget: thinking?.budget_tokens,
    }),
    streamed: body['stream'] === true,
  };
}

/** "Thinking", "Limits and feature compatibility": what thinking goes with. */
function checkMessage(body: Fields): void {
  messageBody(body, '');
  const thinking = body['thinking'] as { type: string; budget_tokens?: number } | undefined;
  if (thinking === undefined || thinking.type === 'disabled') return;
  if ((thinking.budget_tokens ?? 0) >= Number(body['max_tokens'])) {
    refuse('max_tokens', 'must be greater than `thinking.budget_tokens`');
  }
  if ((body['temperature'] ?? 1) !== 1)
    refuse('temperature', 'may only be set to 1 when thinking is enabled');
  if ((body['top_k'] ?? undefined) !== undefined) refuse('top_k', 'must be unset when thinking is enabled');
}
