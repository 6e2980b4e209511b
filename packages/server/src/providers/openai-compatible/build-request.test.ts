import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { scanJsonObject, JsonObjectScan } from '../../kernel/json-scan.ts';
import { type CallOptions, modelCall } from '../../../test/model-call.ts';
import { buildRequest } from './build-request.ts';

function bodyOf(body: string, options?: CallOptions): string {
  return buildRequest(modelCall(body, options), 's', 'max_tokens').body.toString();
}

describe('buildRequest', () => {
  test('sends the headers of the allow-list and nothing else', () => {
    const plain = buildRequest(modelCall('{"model":"m"}'), 'sk-1', 'max_tokens');
    assert.deepEqual(
      { ...plain, body: plain.body.toString() },
      {
        method: 'POST',
        path: '/chat/completions',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'accept-encoding': 'identity',
          authorization: 'Bearer sk-1',
          'user-agent': 'keyfold',
        },
        body: '{"model":"m"}',
      },
    );
    const streamed = buildRequest(modelCall('{"model":"m","stream":true}'), 'sk-1', 'max_tokens');
    assert.equal(streamed.headers['accept'], 'text/event-stream');
  });

  test('each endpoint has its path', () => {
    const pathOf = (endpoint: 'completions' | 'embeddings') =>
      buildRequest(modelCall('{"model":"m"}', { endpoint }), 's', 'max_tokens').path;
    assert.equal(pathOf('completions'), '/completions');
    assert.equal(pathOf('embeddings'), '/embeddings');
  });

  test('a body that needs no edit is the very same buffer', () => {
    const call = modelCall(
      '{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":5}',
    );
    assert.equal(buildRequest(call, 's', 'max_tokens').body, call.body);
    const plain = modelCall(' { "model" : "\\u006d" } ', { upstreamModel: 'm' });
    assert.equal(buildRequest(plain, 's', 'max_tokens').body, plain.body);
  });

  const edits: readonly [string, string, string, CallOptions?][] = [
    [
      'renames the model in place',
      '{ "a":1, "model" : "fast" ,"z":"é"}',
      '{ "a":1, "model" : "gpt-4.1" ,"z":"é"}',
      { upstreamModel: 'gpt-4.1' },
    ],
    ['escapes the new name', '{"model":"fast"}', '{"model":"a\\"b/ü"}', { upstreamModel: 'a"b/ü' }],
    [
      'asks for usage where the client gave no options',
      '{"model":"m","stream":true}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'asks for usage where the options are null',
      '{"stream_options": null,"stream":true}',
      '{"stream_options": {"include_usage":true},"stream":true}',
    ],
    [
      'keeps other stream options',
      '{"stream":true,"stream_options":{"include_obfuscation":false }}',
      '{"stream":true,"stream_options":{"include_obfuscation":false ,"include_usage":true}}',
    ],
    [
      'fills empty stream options',
      '{"stream":true,"stream_options":{}}',
      '{"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'turns a refused usage into an asked one',
      '{"stream":true,"stream_options":{"include_usage":false,"x":1}}',
      '{"stream":true,"stream_options":{"include_usage":true,"x":1}}',
    ],
    [
      'turns an undecided usage into an asked one',
      '{"stream":true,"stream_options":{"include_usage":null}}',
      '{"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'leaves wrong types to the server',
      '{"stream":true,"stream_options":"x"}',
      '{"stream":true,"stream_options":"x"}',
    ],
    [
      'leaves a wrong flag to the server',
      '{"stream":true,"stream_options":{"include_usage":"yes"}}',
      '{"stream":true,"stream_options":{"include_usage":"yes"}}',
    ],
    [
      'asks for no usage when nothing is streamed',
      '{"model":"m","stream":false}',
      '{"model":"m","stream":false}',
    ],
    ['sets the output limit', '{"model":"m"}\n', '{"model":"m","max_tokens":64}\n', { outputTokensCap: 64 }],
    [
      'replaces an output limit of null',
      '{"max_tokens":null,"model":"m"}',
      '{"max_tokens":64,"model":"m"}',
      { outputTokensCap: 64 },
    ],
    [
      'never overrides a limit of the client',
      '{"max_tokens":5}',
      '{"max_tokens":5}',
      { outputTokensCap: 64 },
    ],
    [
      'writes a limit of the newer name under the one that every server knows',
      '{"max_completion_tokens":5}',
      '{"max_completion_tokens":5,"max_tokens":5}',
      { outputTokensMax: 5 },
    ],
    [
      'makes all edits at once',
      '{"stream":true,"stream_options":{},"model":"fast"}',
      '{"stream":true,"stream_options":{"include_usage":true},"model":"slow","max_tokens":9}',
      { upstreamModel: 'slow', outputTokensCap: 9 },
    ],
    [
      'embeddings have neither usage to ask for nor output to limit',
      '{"input":"x","stream":true}',
      '{"input":"x","stream":true}',
      { endpoint: 'embeddings', outputTokensCap: 9 },
    ],
    [
      'completions stream with usage too',
      '{"prompt":"x","stream":true}',
      '{"prompt":"x","stream":true,"stream_options":{"include_usage":true},"max_tokens":9}',
      { endpoint: 'completions', outputTokensCap: 9 },
    ],
  ];
  for (const [what, before, after, options] of edits) {
    test(what, () => assert.equal(bodyOf(before, options), after));
  }

  test("OpenAI's chat takes its limit under the newer name, completions under the older", () => {
    const limited = (endpoint: 'chat.completions' | 'completions') =>
      buildRequest(
        modelCall('{"model":"m"}', { endpoint, outputTokensCap: 7 }),
        's',
        'max_completion_tokens',
      ).body.toString();
    assert.equal(limited('chat.completions'), '{"model":"m","max_completion_tokens":7}');
    assert.equal(limited('completions'), '{"model":"m","max_tokens":7}');
  });

  test("OpenAI's chat keeps a limit under the older name, and completions never count the newer", () => {
    const limited = (endpoint: 'chat.completions' | 'completions', body: string) =>
      buildRequest(
        modelCall(body, { endpoint, outputTokensMax: 7 }),
        's',
        'max_completion_tokens',
      ).body.toString();
    const [older, newer] = ['{"max_tokens":7}', '{"max_completion_tokens":7}'];
    assert.equal(limited('chat.completions', older), older);
    assert.equal(limited('chat.completions', newer), newer);
    assert.equal(limited('completions', newer), '{"max_completion_tokens":7,"max_tokens":7}');
    const both = '{"max_tokens":null,"max_completion_tokens":7}';
    assert.equal(limited('chat.completions', both), both);
  });

  test('whatever the body, the edits are the only difference and leave strict JSON', () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const name = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => `x_${text}`);
    fc.assert(
      fc.property(
        fc.dictionary(name, json, { maxKeys: 5 }),
        fc.string({ unit: 'grapheme' }),
        fc.boolean(),
        (others, model, streamed) => {
          const before = JSON.stringify({ ...others, model: 'alias', stream: streamed, tail: others });
          const after = buildRequest(
            modelCall(before, { upstreamModel: model, outputTokensCap: 3 }),
            's',
            'max_tokens',
          ).body;
          assert.ok(scanJsonObject(after) instanceof JsonObjectScan);
          const options = streamed ? { stream_options: { include_usage: true } } : {};
          const expected = { ...(JSON.parse(before) as object), model, ...options, max_tokens: 3 };
          assert.deepEqual(JSON.parse(after.toString()), JSON.parse(JSON.stringify(expected)));
        },
      ),
    );
  });
});
