import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accepted, refused, sent } from './test-openai.ts';
import { readRequest } from './read-request.ts';

const HELLO = [{ role: 'user', content: 'Hello' }];
const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather somewhere',
    parameters: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
    strict: true,
  },
};
const TIME = { type: 'function', function: { name: 'get_time' } };

function read(fields: object, streamed = false) {
  return readRequest(sent({ model: 'm', messages: HELLO, ...fields }, streamed));
}

describe('a request of chat completions', () => {
  test('is read with all its settings', () => {
    const chat = accepted(
      read(
        {
          stream: true,
          stream_options: { include_usage: true, include_obfuscation: false },
          max_completion_tokens: 500,
          temperature: 1.5,
          top_p: 0.5,
          frequency_penalty: -2,
          presence_penalty: 2,
          seed: -7,
          stop: ['a', 'b'],
          n: 2,
          logprobs: true,
          top_logprobs: 3,
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'answer', description: 'd', schema: { type: 'object' }, strict: true },
          },
          reasoning_effort: 'xhigh',
          tools: [WEATHER, TIME],
          tool_choice: 'required',
          parallel_tool_calls: false,
          user: 'u-1',
        },
        true,
      ),
    );
    assert.equal(chat.streamed, true);
    assert.deepEqual(chat.system, []);
    assert.deepEqual(chat.turns, [
      { role: 'user', at: 'messages.0', parts: [{ kind: 'text', at: 'messages.0.content', text: 'Hello' }] },
    ]);
    assert.deepEqual(chat.tools, [
      {
        at: 'tools.0',
        name: 'get_weather',
        description: 'The weather somewhere',
        schema: WEATHER.function.parameters,
        isStrict: true,
      },
      { at: 'tools.1', name: 'get_time' },
    ]);
    assert.deepEqual(chat.settings, {
      outputTokensMax: 500,
      temperature: 1.5,
      topP: 0.5,
      frequencyPenalty: -2,
      presencePenalty: 2,
      seed: -7,
      stop: ['a', 'b'],
      choices: 2,
      logprobs: 3,
      output: {
        kind: 'schema',
        name: 'answer',
        description: 'd',
        schema: { type: 'object' },
        isStrict: true,
      },
      reasoning: { effort: 'xhigh' },
      toolChoice: { kind: 'required' },
      isParallelToolUseAllowed: false,
      userId: 'u-1',
    });
  });

  test('names the limit and the user by the field that the client used', () => {
    const older = accepted(read({ max_tokens: 5, user: 'u' }));
    assert.equal(older.settings.outputTokensMax, 5);
    assert.deepEqual([older.names.outputTokensMax, older.names.userId], ['max_tokens', 'user']);
    const newer = accepted(read({ max_completion_tokens: 5, safety_identifier: 'u' }));
    assert.deepEqual(newer.settings, { outputTokensMax: 5, userId: 'u' });
    assert.deepEqual(
      [newer.names.outputTokensMax, newer.names.userId],
      ['max_completion_tokens', 'safety_identifier'],
    );
  });

  test('takes null for absent, and what is the default everywhere', () => {
    const chat = accepted(
      read({
        temperature: null,
        tools: null,
        stop: null,
        tool_choice: 'auto',
        parallel_tool_calls: true,
        response_format: { type: 'text' },
        logprobs: false,
        modalities: ['text'],
        store: false,
        service_tier: 'auto',
        verbosity: 'medium',
        metadata: { a: 'b' },
        prompt_cache_key: 'k',
        prompt_cache_retention: '24h',
        prompt_cache_options: { mode: 'implicit' },
      }),
    );
    assert.deepEqual(chat.settings, {});
  });

  test('reads the other forms of stop, log probabilities and formats', () => {
    assert.deepEqual(accepted(read({ stop: 'x' })).settings.stop, ['x']);
    assert.equal(accepted(read({ logprobs: true })).settings.logprobs, 0);
    assert.deepEqual(accepted(read({ response_format: { type: 'json_object' } })).settings.output, {
      kind: 'json',
    });
  });

  test('keeps the digits of numbers that no double holds', () => {
    const parameters = '{"type":"object","properties":{"id":{"const":12345678901234567890}}}';
    const body = `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":${parameters}}}]}`;
    assert.equal(JSON.stringify(accepted(readRequest(sent(body))).tools[0]?.schema), parameters);
  });

  const tools = [WEATHER, TIME];
  const named = { type: 'function', function: { name: 'get_weather' } };
  const allowed = (mode: string, allowedTools: unknown) => ({
    type: 'allowed_tools',
    allowed_tools: { mode, tools: allowedTools },
  });
  test('reads every choice of tools that has a word elsewhere', () => {
    const choices: readonly [unknown, unknown][] = [
      ['none', { kind: 'none' }],
      ['auto', { kind: 'auto' }],
      [named, { kind: 'named', names: ['get_weather'] }],
      [allowed('required', [named, TIME]), { kind: 'named', names: ['get_weather', 'get_time'] }],
      [allowed('auto', [named, TIME]), { kind: 'auto' }],
    ];
    for (const [choice, expected] of choices) {
      assert.deepEqual(accepted(read({ tools, tool_choice: choice })).settings.toolChoice, expected);
    }
  });

  const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) });
  const refusals: readonly [object, string][] = [
    [{ messages: [] }, 'invalid_request messages'],
    [{ messages: undefined }, 'invalid_request messages'],
    [{ max_tokens: 5, max_completion_tokens: 5 }, 'invalid_request max_tokens'],
    [{ max_tokens: 0 }, 'invalid_request max_tokens'],
    [{ temperature: 2.1 }, 'invalid_request temperature'],
    [{ temperature: '1' }, 'invalid_request temperature'],
    [{ top_p: -0.1 }, 'invalid_request top_p'],
    [{ frequency_penalty: 3 }, 'invalid_request frequency_penalty'],
    [{ presence_penalty: -3 }, 'invalid_request presence_penalty'],
    [{ seed: 1.5 }, 'invalid_request seed'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'invalid_request stop'],
    [{ stop: [''] }, 'invalid_request stop'],
    [{ stop: [1] }, 'invalid_request stop.0'],
    [{ n: 129 }, 'invalid_request n'],
    [{ logprobs: true, top_logprobs: 21 }, 'invalid_request top_logprobs'],
    [{ top_logprobs: 2 }, 'invalid_request top_logprobs'],
    [{ response_format: { type: 'xml' } }, 'invalid_request response_format.type'],
    [{ response_format: { type: 'json_schema' } }, 'invalid_request response_format.json_schema'],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'a' } } },
      'invalid_request response_format.json_schema.schema',
    ],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'a b', schema: {} } } },
      'invalid_request response_format.json_schema.name',
    ],
    [{ reasoning_effort: 'huge' }, 'invalid_request reasoning_effort'],
    [{ tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'unsupported_parameter tools.0.type'],
    [{ tools: [{ type: 'function' }] }, 'invalid_request tools.0.function'],
    [{ tools: [{ type: 'function', function: { name: 'a.b' } }] }, 'invalid_request tools.0.function.name'],
    [
      { tools: [{ type: 'function', function: { name: 'a', parameters: deep(33) } }] },
      'invalid_request tools.0.function.parameters',
    ],
    [{ tool_choice: 'required' }, 'invalid_request tool_choice'],
    [{ tools, tool_choice: 'any' }, 'invalid_request tool_choice'],
    [
      { tools, tool_choice: { type: 'custom', custom: { name: 'x' } } },
      'unsupported_parameter tool_choice.type',
    ],
    [{ tools, tool_choice: { type: 'function', function: { name: 'x' } } }, 'invalid_request tool_choice'],
    [
      { tools, tool_choice: allowed('auto', [named]) },
      'unsupported_parameter tool_choice.allowed_tools.mode',
    ],
    [{ tools, tool_choice: allowed('auto', []) }, 'invalid_request tool_choice.allowed_tools.tools'],
    [{ functions: [{ name: 'f' }] }, 'unsupported_parameter functions'],
    [{ function_call: 'auto' }, 'unsupported_parameter function_call'],
    [{ logit_bias: { '1': 2 } }, 'unsupported_parameter logit_bias'],
    [{ verbosity: 'low' }, 'unsupported_parameter verbosity'],
    [{ modalities: ['text', 'audio'] }, 'unsupported_parameter modalities'],
    [{ audio: { voice: 'alloy', format: 'wav' } }, 'unsupported_parameter audio'],
    [{ prediction: { type: 'content', content: 'x' } }, 'unsupported_parameter prediction'],
    [{ web_search_options: {} }, 'unsupported_parameter web_search_options'],
    [{ moderation: { model: 'm' } }, 'unsupported_parameter moderation'],
    [{ store: true }, 'unsupported_parameter store'],
    [{ service_tier: 'flex' }, 'unsupported_parameter service_tier'],
    [{ user: 'a', safety_identifier: 'b' }, 'unsupported_parameter user'],
    [{ stream_options: { include_usage: true } }, 'invalid_request stream_options'],
    [{ top_k: 4 }, 'unsupported_parameter top_k'],
    [{ something_new: 1 }, 'unsupported_parameter something_new'],
  ];
  for (const [fields, expected] of refusals) {
    test(`is refused by name: ${expected} for ${JSON.stringify(fields).slice(0, 90)}`, () => {
      assert.equal(refused(read(fields)), expected);
    });
  }

  test('keeps padding out of streams, and refuses to add it', () => {
    const asked = read({ stream: true, stream_options: { include_obfuscation: true } }, true);
    assert.equal(refused(asked), 'unsupported_parameter stream_options.include_obfuscation');
  });

  test('takes a schema of 32 levels', () => {
    accepted(read({ tools: [{ type: 'function', function: { name: 'a', parameters: deep(31) } }] }));
  });
});
