import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import { IMAGE_BYTES_MAX } from './read-media.ts';
import { readRequest } from './read-request.ts';
import { read, refuse, sent } from './test-chats.ts';

const USER = { role: 'user', parts: [{ text: 'Hi' }] };

function withPart(part: unknown): unknown {
  return { contents: [{ role: 'user', parts: [part] }] };
}

function withConfig(generationConfig: unknown): unknown {
  return { contents: [USER], generationConfig };
}

function withTool(declaration: unknown): unknown {
  return { contents: [USER], tools: [{ functionDeclarations: [declaration] }] };
}

describe('readRequest', () => {
  test("reads Google's own sample with single objects where lists are defined", () => {
    const chat = read({
      systemInstruction: { parts: { text: 'You are a cat.' } },
      contents: { parts: { text: 'Hello there' } },
    });
    assert.deepEqual(chat.system, [
      { kind: 'text', text: 'You are a cat.', at: 'systemInstruction.parts.0' },
    ]);
    assert.deepEqual(chat.turns, [
      {
        role: 'user',
        parts: [{ kind: 'text', text: 'Hello there', at: 'contents.0.parts.0' }],
        at: 'contents.0',
      },
    ]);
    assert.deepEqual(chat.settings, {});
  });

  test('reads both spellings of every name, and leaves the names of the client alone', () => {
    const chat = read({
      system_instruction: { role: 'system', parts: [{ text: 'Be brief.' }] },
      contents: [
        USER,
        { role: 'model', parts: [{ function_call: { name: 'set', args: { rgb_hex: 'ff0000' } } }] },
        {
          role: 'function',
          parts: [{ function_response: { name: 'set', response: { is_ok: true } } }],
        },
      ],
      tools: [
        {
          function_declarations: [
            {
              name: 'set',
              parameters: {
                type: 'object',
                properties: { rgb_hex: { type: 'STRING', min_length: '6' } },
                property_ordering: ['rgb_hex'],
              },
            },
            { name: 'get', parameters_json_schema: { type: 'object', properties: { a_b: {} } } },
          ],
        },
      ],
      tool_config: { function_calling_config: { mode: 'none' } },
      generation_config: { top_k: 3, max_output_tokens: 9, thinking_config: { include_thoughts: true } },
      labels: { team_name: 'x' },
    });
    const [, model, results] = chat.turns;
    assert.equal(
      model?.role === 'assistant' && model.parts[0]?.kind === 'tool_call' && model.parts[0].argumentsJson,
      '{"rgb_hex":"ff0000"}',
    );
    assert.deepEqual(results?.parts, [
      {
        kind: 'tool_result',
        callId: 'kf_call_0',
        content: [
          { kind: 'text', text: '{"is_ok":true}', at: 'contents.2.parts.0.functionResponse.response' },
        ],
        isError: false,
        at: 'contents.2.parts.0',
      },
    ]);
    assert.deepEqual(
      chat.tools.map(({ schema }) => schema),
      [
        { type: 'object', properties: { rgb_hex: { type: 'string', minLength: 6 } } },
        { type: 'object', properties: { a_b: {} } },
      ],
    );
    assert.deepEqual(chat.settings, {
      topK: 3,
      outputTokensMax: 9,
      reasoning: { isShown: true },
      toolChoice: { kind: 'none' },
    });
  });

  test('reads every setting', () => {
    const chat = read({
      ...(withConfig({
        temperature: 2,
        topP: 0.5,
        topK: 40,
        candidateCount: 8,
        maxOutputTokens: 100,
        stopSequences: ['a', 'b'],
        seed: -1,
        presencePenalty: -2,
        frequencyPenalty: 2,
        responseMimeType: 'application/json',
        responseSchema: { type: 'ARRAY', items: { type: 'STRING' } },
        responseLogprobs: true,
        logprobs: 20,
        responseModalities: ['TEXT'],
        thinkingConfig: { thinkingLevel: 'MINIMAL' },
      }) as object),
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] } },
      model: 'models/x',
      store: false,
      serviceTier: 'standard',
    });
    assert.deepEqual(chat.settings, {
      temperature: 2,
      topP: 0.5,
      topK: 40,
      choices: 8,
      outputTokensMax: 100,
      stop: ['a', 'b'],
      seed: -1,
      presencePenalty: -2,
      frequencyPenalty: 2,
      output: { kind: 'schema', schema: { type: 'array', items: { type: 'string' } } },
      logprobs: 20,
      reasoning: { effort: 'minimal' },
      toolChoice: { kind: 'named', names: ['f'] },
    });
  });

  test('reads budgets, and the budget that leaves it to the model', () => {
    const reasoning = (thinkingConfig: unknown) => read(withConfig({ thinkingConfig })).settings.reasoning;
    assert.deepEqual(reasoning({ thinkingBudget: 0 }), { tokensMax: 0 });
    assert.deepEqual(reasoning({ thinkingBudget: 512, includeThoughts: false }), {
      tokensMax: 512,
      isShown: false,
    });
    assert.deepEqual(reasoning({ thinkingBudget: -1 }), { isAdaptive: true });
  });

  test('a mode that validates makes every function strict', () => {
    const chat = read({
      ...(withTool({ name: 'f', description: 'd' }) as object),
      toolConfig: { functionCallingConfig: { mode: 'VALIDATED' } },
    });
    assert.deepEqual(chat.tools, [
      { name: 'f', description: 'd', isStrict: true, at: 'tools.0.functionDeclarations.0' },
    ]);
    assert.deepEqual(chat.settings.toolChoice, { kind: 'auto' });
  });

  test('whole numbers beyond a double keep their digits in arguments', () => {
    const chat = readRequest(
      sent(
        '{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"id":12345678901234567890}}}]}]}',
      ),
    );
    assert.match(JSON.stringify(chat), /12345678901234567890/);
  });
});

describe('readRequest refuses by name', () => {
  const cases: readonly [what: string, body: unknown, refusal: string][] = [
    ['no contents', {}, 'invalid_request contents'],
    ['empty contents', { contents: [] }, 'invalid_request contents'],
    ['contents that are text', { contents: 'Hi' }, 'invalid_request contents'],
    [
      'an unknown role',
      { contents: [{ role: 'tool', parts: [{ text: 'x' }] }] },
      'invalid_request contents.0.role',
    ],
    ['no parts', { contents: [{ role: 'user' }] }, 'invalid_request contents.0.parts'],
    ['an empty part', withPart({}), 'invalid_request contents.0.parts.0.text'],
    [
      'both spellings',
      { contents: [USER], generationConfig: {}, generation_config: {} },
      'invalid_request generationConfig',
    ],
    ['code', withPart({ executableCode: {} }), 'unsupported_parameter contents.0.parts.0.executableCode'],
    [
      'two kinds in a part',
      withPart({ text: 'x', inlineData: {} }),
      'invalid_request contents.0.parts.0.inlineData',
    ],
    [
      'video settings',
      withPart({ text: 'x', videoMetadata: {} }),
      'unsupported_parameter contents.0.parts.0.videoMetadata',
    ],
    [
      'a call by the user',
      withPart({ functionCall: { name: 'f' } }),
      'invalid_request contents.0.parts.0.functionCall',
    ],
    [
      'a picture by the model',
      { contents: [{ role: 'model', parts: [{ inlineData: {} }] }] },
      'unsupported_parameter contents.0.parts.0.inlineData',
    ],
    [
      'a call that is a thought',
      { contents: [{ role: 'model', parts: [{ functionCall: { name: 'f' }, thought: true }] }] },
      'unsupported_parameter contents.0.parts.0.thought',
    ],
    [
      'a thought by the user',
      withPart({ text: 'x', thought: true }),
      'unsupported_parameter contents.0.parts.0.thought',
    ],
    [
      'another image type',
      withPart({ inlineData: { mimeType: 'image/bmp', data: 'AAAA' } }),
      'invalid_request contents.0.parts.0.inlineData.mimeType',
    ],
    [
      'video',
      withPart({ inlineData: { mimeType: 'video/mp4', data: 'AAAA' } }),
      'unsupported_parameter contents.0.parts.0.inlineData.mimeType',
    ],
    [
      'no base64',
      withPart({ inlineData: { mimeType: 'image/png', data: '!!' } }),
      'invalid_request contents.0.parts.0.inlineData.data',
    ],
    [
      'no data',
      withPart({ inlineData: { mimeType: 'image/png', data: '' } }),
      'invalid_request contents.0.parts.0.inlineData.data',
    ],
    [
      'a large image',
      withPart({ inlineData: { mimeType: 'image/png', data: 'AAAA'.repeat(IMAGE_BYTES_MAX / 3 + 1) } }),
      'invalid_request contents.0.parts.0.inlineData.data',
    ],
    [
      "Google's own store",
      withPart({
        fileData: {
          mimeType: 'application/pdf',
          fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/x',
        },
      }),
      'unsupported_parameter contents.0.parts.0.fileData.fileUri',
    ],
    [
      'a bucket',
      withPart({ fileData: { mimeType: 'application/pdf', fileUri: 'gs://a/b' } }),
      'unsupported_parameter contents.0.parts.0.fileData.fileUri',
    ],
    [
      'a file of no type',
      withPart({ fileData: { fileUri: 'https://a.example/b' } }),
      'invalid_request contents.0.parts.0.fileData.mimeType',
    ],
    [
      'a result of no call',
      withPart({ functionResponse: { name: 'f', response: {} } }),
      'invalid_request contents.0.parts.0.functionResponse.name',
    ],
    [
      'a result of no such call',
      withPart({ functionResponse: { id: 'x', name: 'f', response: {} } }),
      'invalid_request contents.0.parts.0.functionResponse.id',
    ],
    [
      'no response',
      withPart({ functionResponse: { name: 'f' } }),
      'invalid_request contents.0.parts.0.functionResponse.response',
    ],
    [
      'search',
      { contents: [USER], tools: [{ googleSearch: {} }] },
      'unsupported_parameter tools.0.googleSearch',
    ],
    [
      'a non-blocking function',
      withTool({ name: 'f', behavior: 'NON_BLOCKING' }),
      'unsupported_parameter tools.0.functionDeclarations.0.behavior',
    ],
    [
      'a schema of the output of a function',
      withTool({ name: 'f', response: { type: 'OBJECT' } }),
      'unsupported_parameter tools.0.functionDeclarations.0.response',
    ],
    [
      'two schemas',
      withTool({ name: 'f', parameters: {}, parametersJsonSchema: {} }),
      'invalid_request tools.0.functionDeclarations.0.parametersJsonSchema',
    ],
    ['safety settings', { contents: [USER], safetySettings: [{}] }, 'unsupported_parameter safetySettings'],
    [
      'cached content',
      { contents: [USER], cachedContent: 'cachedContents/x' },
      'unsupported_parameter cachedContent',
    ],
    ['storing', { contents: [USER], store: true }, 'unsupported_parameter store'],
    ['a rank', { contents: [USER], serviceTier: 'flex' }, 'unsupported_parameter serviceTier'],
    [
      'a temperature above 2',
      withConfig({ temperature: 2.1 }),
      'invalid_request generationConfig.temperature',
    ],
    [
      'six stop sequences',
      withConfig({ stopSequences: ['a', 'b', 'c', 'd', 'e', 'f'] }),
      'invalid_request generationConfig.stopSequences',
    ],
    ['nine candidates', withConfig({ candidateCount: 9 }), 'invalid_request generationConfig.candidateCount'],
    [
      'probabilities that are not asked for',
      withConfig({ logprobs: 2 }),
      'invalid_request generationConfig.logprobs',
    ],
    [
      '21 probabilities',
      withConfig({ responseLogprobs: true, logprobs: 21 }),
      'invalid_request generationConfig.logprobs',
    ],
    [
      'pictures',
      withConfig({ responseModalities: ['TEXT', 'IMAGE'] }),
      'unsupported_parameter generationConfig.responseModalities',
    ],
    ['speech', withConfig({ speechConfig: {} }), 'unsupported_parameter generationConfig.speechConfig'],
    [
      'a resolution',
      withConfig({ mediaResolution: 'MEDIA_RESOLUTION_LOW' }),
      'unsupported_parameter generationConfig.mediaResolution',
    ],
    [
      'one word of a list',
      withConfig({ responseMimeType: 'text/x.enum' }),
      'invalid_request generationConfig.responseMimeType',
    ],
    [
      'a schema for text',
      withConfig({ responseSchema: { type: 'STRING' } }),
      'invalid_request generationConfig.responseMimeType',
    ],
    [
      'a level and a budget',
      withConfig({ thinkingConfig: { thinkingLevel: 'LOW', thinkingBudget: 1 } }),
      'invalid_request generationConfig.thinkingConfig.thinkingLevel',
    ],
    [
      'an unknown level',
      withConfig({ thinkingConfig: { thinkingLevel: 'MAX' } }),
      'invalid_request generationConfig.thinkingConfig.thinkingLevel',
    ],
    [
      'an unknown mode',
      { contents: [USER], toolConfig: { functionCallingConfig: { mode: 'SOME' } } },
      'invalid_request toolConfig.functionCallingConfig.mode',
    ],
    [
      'names without the mode for them',
      {
        contents: [USER],
        toolConfig: { functionCallingConfig: { mode: 'VALIDATED', allowedFunctionNames: ['f'] } },
      },
      'unsupported_parameter toolConfig.functionCallingConfig.allowedFunctionNames',
    ],
    ['an unknown field', { contents: [USER], wonder: 1 }, 'unsupported_parameter wonder'],
    [
      'only empty answers',
      { contents: [{ role: 'model', parts: [{ text: '' }] }] },
      'invalid_request contents',
    ],
  ];
  for (const [what, body, refusal] of cases) {
    test(what, () => assert.equal(refuse(body), refusal));
  }

  test('nothing makes it throw', () => {
    const keys = fc.constantFrom(
      'contents',
      'parts',
      'text',
      'role',
      'functionCall',
      'functionResponse',
      'name',
      'id',
      'response',
      'args',
      'inlineData',
      'mimeType',
      'data',
      'tools',
      'functionDeclarations',
      'parameters',
      'type',
      'generationConfig',
      'thinkingConfig',
      'thoughtSignature',
      'items',
      'anyOf',
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom('user', 'model', 'x', 1, true, null, 'STRING'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(keys, value), (body) => {
        const scan = scanJsonObject(Buffer.from(JSON.stringify(body)));
        if (scan instanceof JsonObjectScan)
          readRequest({ endpoint: 'generateContent', scan, streamed: false });
      }),
    );
  });
});
