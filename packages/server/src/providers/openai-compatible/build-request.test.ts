import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { scanJsonObject, JsonObjectScan } from '../../kernel/json-scan.ts';
import { type CallOptions, modelCall } from '../../../test/model-call.ts';
import { buildRequest } from './build-request.ts';

function bodyOf(body: string, options?: CallOptions): string {
  return buildRequest(modelCall(body, options), 's').body.toString();
}

describe('buildRequest', () => {
  test('sends the headers of the allow-list and nothing else', () => {
    const plain = buildRequest(modelCall('{"model":"m"}'), 'sk-1');
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
    const streamed = buildRequest(modelCall('{"model":"m","stream":true}'), 'sk-1');
    assert.equal(streamed.headers['accept'], 'text/event-stream');
  });

  test('each endpoint has its path', () => {
    const pathOf = (endpoint: 'completions' | 'embeddings') =>
      buildRequest(modelCall('{"model":"m"}', { endpoint }), 's').path;
    assert.equal(pathOf('completions'), '/completions');
    assert.equal(pathOf('embeddings'), '/embeddings');
  });

  test('a body that needs no edit is the very same buffer', () => {
    const call = modelCall(
      '{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":5}',
    );
    assert.equal(buildRequest(call, 's').body, call.body);
    const plain = modelCall(' { "model" : "\\u006d" } ', { upstreamModel: 'm' });
    assert.equal(buildRequest(plain, 's').body, plain.body);
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
          // Keys such as `__proto__` are refused before a request is built.
          fc.pre(scanJsonObject(Buffer.from(before)) instanceof JsonObjectScan);
          const after = buildRequest(
            modelCall(before, { upstreamModel: model, outputTokensCap: 3 }),
            's',
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
