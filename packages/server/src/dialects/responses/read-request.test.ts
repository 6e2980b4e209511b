import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accepted, refused, sent } from '../openai/test-openai.ts';
import { readRequest } from './read-request.ts';

function read(fields: object, streamed = false) {
  return readRequest(sent({ model: 'm', input: 'Hello', ...fields }, streamed));
}

const WEATHER = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather somewhere',
  parameters: { type: 'object', properties: {} },
  strict: true,
};
const TIME = { type: 'function', name: 'get_time', parameters: null, strict: null };

describe('a request of the Responses API', () => {
  test('is read with all its settings', () => {
    const chat = accepted(
      read(
        {
          stream: true,
          stream_options: { include_obfuscation: false },
          instructions: 'Be brief.',
          max_output_tokens: 500,
          temperature: 1.5,
          top_p: 0.5,
          top_logprobs: 3,
          include: ['reasoning.encrypted_content', 'message.output_text.logprobs'],
          text: { format: { type: 'json_schema', name: 'a', schema: { type: 'object' }, strict: true } },
          reasoning: { effort: 'high', summary: 'auto' },
          tools: [WEATHER, TIME],
          tool_choice: { type: 'function', name: 'get_time' },
          parallel_tool_calls: false,
          store: false,
          safety_identifier: 'u-1',
        },
        true,
      ),
    );
    assert.equal(chat.streamed, true);
    assert.deepEqual(chat.system, [{ kind: 'text', at: 'instructions', text: 'Be brief.' }]);
    assert.deepEqual(chat.turns, [
      { role: 'user', at: 'input', parts: [{ kind: 'text', at: 'input', text: 'Hello' }] },
    ]);
    assert.deepEqual(chat.tools, [
      {
        at: 'tools.0',
        name: 'get_weather',
        description: 'The weather somewhere',
        schema: WEATHER.parameters,
        isStrict: true,
      },
      { at: 'tools.1', name: 'get_time' },
    ]);
    assert.deepEqual(chat.settings, {
      outputTokensMax: 500,
      temperature: 1.5,
      topP: 0.5,
      logprobs: 3,
      output: { kind: 'schema', name: 'a', schema: { type: 'object' }, isStrict: true },
      reasoning: { effort: 'high', isShown: true },
      toolChoice: { kind: 'named', names: ['get_time'] },
      isParallelToolUseAllowed: false,
      userId: 'u-1',
    });
    assert.equal(chat.names.outputTokensMax, 'max_output_tokens');
    assert.equal(chat.names.userId, 'safety_identifier');
  });

  test('takes null for absent, and what is the default everywhere', () => {
    const chat = accepted(
      read({
        instructions: null,
        previous_response_id: null,
        background: false,
        service_tier: 'auto',
        truncation: 'disabled',
        metadata: { a: 'b' },
        prompt_cache_key: 'k',
        text: { format: { type: 'text' }, verbosity: 'medium' },
        reasoning: { effort: null, summary: null },
        tool_choice: 'auto',
        tools: [],
      }),
    );
    assert.deepEqual(chat.settings, {});
    assert.deepEqual(chat.system, []);
  });

  test('reads the other forms of formats, log probabilities and choices', () => {
    assert.deepEqual(accepted(read({ text: { format: { type: 'json_object' } } })).settings.output, {
      kind: 'json',
    });
    assert.equal(accepted(read({ include: ['message.output_text.logprobs'] })).settings.logprobs, 0);
    const allowed = {
      type: 'allowed_tools',
      mode: 'required',
      tools: [{ type: 'function', name: 'get_time' }],
    };
    assert.deepEqual(accepted(read({ tools: [WEATHER, TIME], tool_choice: allowed })).settings.toolChoice, {
      kind: 'named',
      names: ['get_time'],
    });
  });

  const refusals: readonly [object, string][] = [
    [{ input: null }, 'invalid_request input'],
    [{ input: [] }, 'invalid_request input'],
    [{ input: 5 }, 'invalid_request input'],
    [{ previous_response_id: 'resp_1' }, 'unsupported_parameter previous_response_id'],
    [{ conversation: 'conv_1' }, 'unsupported_parameter conversation'],
    [{ prompt: { id: 'p' } }, 'unsupported_parameter prompt'],
    [{ store: true }, 'unsupported_parameter store'],
    [{ store: 'yes' }, 'invalid_request store'],
    [{ background: true }, 'unsupported_parameter background'],
    [{ truncation: 'auto' }, 'unsupported_parameter truncation'],
    [{ service_tier: 'priority' }, 'unsupported_parameter service_tier'],
    [{ tools: [{ type: 'web_search' }] }, 'unsupported_parameter tools.0.type'],
    [{ tools: [{ type: 'custom', name: 'x' }] }, 'unsupported_parameter tools.0.type'],
    [{ tools: [{ ...TIME, defer_loading: true }] }, 'unsupported_parameter tools.0.defer_loading'],
    [{ tools: [{ ...TIME, name: 'a b' }] }, 'invalid_request tools.0.name'],
    [
      { tools: [TIME], tool_choice: { type: 'web_search_preview' } },
      'unsupported_parameter tool_choice.type',
    ],
    [{ tools: [TIME], tool_choice: { type: 'function', name: 'x' } }, 'invalid_request tool_choice'],
    [
      {
        tools: [TIME, WEATHER],
        tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'get_time' }] },
      },
      'unsupported_parameter tool_choice.mode',
    ],
    [{ max_tool_calls: 3 }, 'unsupported_parameter max_tool_calls'],
    [{ include: ['file_search_call.results'] }, 'unsupported_parameter include.0'],
    [{ text: { verbosity: 'low' } }, 'unsupported_parameter text.verbosity'],
    [{ text: { format: { type: 'xml' } } }, 'invalid_request text.format.type'],
    [{ text: { format: { type: 'json_schema', name: 'a' } } }, 'invalid_request text.format.schema'],
    [{ reasoning: { effort: 'huge' } }, 'invalid_request reasoning.effort'],
    [{ reasoning: { summary: 'concise' } }, 'unsupported_parameter reasoning.summary'],
    [{ reasoning: { mode: 'pro' } }, 'unsupported_parameter reasoning.mode'],
    [{ reasoning: { context: 'all_turns' } }, 'unsupported_parameter reasoning.context'],
    [{ top_logprobs: 21 }, 'invalid_request top_logprobs'],
    [{ temperature: 3 }, 'invalid_request temperature'],
    [{ max_output_tokens: 0 }, 'invalid_request max_output_tokens'],
    [{ stream_options: {} }, 'invalid_request stream_options'],
    [{ context_management: [] }, 'unsupported_parameter context_management'],
    [{ moderation: { model: 'm' } }, 'unsupported_parameter moderation'],
    [{ something_new: 1 }, 'unsupported_parameter something_new'],
  ];
  for (const [fields, expected] of refusals) {
    test(`is refused by name: ${expected} for ${JSON.stringify(fields).slice(0, 90)}`, () => {
      assert.equal(refused(read(fields)), expected);
    });
  }
});
