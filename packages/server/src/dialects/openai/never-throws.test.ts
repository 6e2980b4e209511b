import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Denial } from '../../kernel/denial.ts';
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import { readRequest as readResponsesRequest } from '../responses/read-request.ts';
import { readRequest } from './read-request.ts';

/** Names that the readers know, so that what is generated gets far into them. */
const NAMES = (
  'messages role content type text image_url url input_audio data format file file_data filename tool_calls id ' +
  'function name arguments tool_call_id refusal reasoning_details signature annotations tools parameters strict ' +
  'tool_choice allowed_tools mode response_format json_schema schema stop logprobs top_logprobs stream_options ' +
  'input instructions summary encrypted_content call_id output include reasoning effort max_tokens n user'
).split(' ');
const WORDS = (
  'user assistant system tool function text image_url input_audio file refusal reasoning redacted message ' +
  'function_call function_call_output input_text output_text input_image input_file allowed_tools json_schema ' +
  'required auto data:image/png;base64,aGk= https://a.b/c {} call_1'
).split(' ');

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    fc.constantFrom(...WORDS),
    fc.constantFrom(0, 1, 2.5, true, false, null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('value'), { maxKeys: 6 }),
  ),
}));
const bodies = fc.record({
  messages: fc.array(fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 5 }), { maxLength: 4 }),
  input: value,
  tools: value,
  tool_choice: value,
  response_format: value,
  reasoning: value,
  stop: value,
});

test('a request of any form is read or refused by the name of a field, and nothing is thrown', () => {
  fc.assert(
    fc.property(bodies, fc.boolean(), (fields, streamed) => {
      const scan = scanJsonObject(Buffer.from(JSON.stringify(fields)));
      assert.ok(!(scan instanceof JsonRefusal));
      for (const read of [readRequest, readResponsesRequest]) {
        const chat = read({ endpoint: 'chat.completions', scan, streamed });
        if (chat instanceof Denial) assert.ok(chat.detail.param !== undefined && chat.detail.param !== '');
        else assert.ok(chat.turns.length > 0);
      }
    }),
    { numRuns: 500 },
  );
});
