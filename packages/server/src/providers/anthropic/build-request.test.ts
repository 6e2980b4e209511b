import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import { type CallOptions, modelCall } from '../../../test/model-call.ts';
import { buildRequest } from './build-request.ts';

function bodyOf(body: string, options: CallOptions = {}): string {
  return buildRequest(modelCall(body, { endpoint: 'messages', ...options }), 's').body.toString();
}

describe('buildRequest', () => {
  test('sends the headers of the allow-list and nothing else', () => {
    const plain = buildRequest(modelCall('{"model":"m"}', { endpoint: 'messages' }), 'sk-ant-1');
    assert.deepEqual(
      { ...plain, body: plain.body.toString() },
      {
        method: 'POST',
        path: '/messages',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'accept-encoding': 'identity',
          'anthropic-version': '2023-06-01',
          'x-api-key': 'sk-ant-1',
          'user-agent': 'keyfold',
        },
        body: '{"model":"m"}',
      },
    );
    const streamed = modelCall('{"model":"m","stream":true}', { endpoint: 'messages' });
    assert.equal(buildRequest(streamed, 'sk-ant-1').headers['accept'], 'text/event-stream');
  });

  test('each endpoint has its path', () => {
    const call = modelCall('{"model":"m"}', { endpoint: 'messages.count_tokens' });
    assert.equal(buildRequest(call, 's').path, '/messages/count_tokens');
  });

  test('a body that needs no edit is the very same buffer', () => {
    const call = modelCall(' { "max_tokens": 5, "model" : "\\u006d", "stream":true } ', {
      endpoint: 'messages',
      upstreamModel: 'm',
    });
    assert.equal(buildRequest(call, 's').body, call.body);
  });

  const edits: readonly [string, string, string, CallOptions?][] = [
    [
      'renames the model in place',
      '{ "max_tokens":1e2, "model" : "fast" ,"z":"é"}',
      '{ "max_tokens":1e2, "model" : "claude-haiku-5-5" ,"z":"é"}',
      { upstreamModel: 'claude-haiku-5-5' },
    ],
    [
      'sets the output limit that Anthropic requires',
      '{"model":"m"}\n',
      '{"model":"m","max_tokens":64}\n',
      { outputTokensCap: 64 },
    ],
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
    ['leaves a missing limit to Anthropic, which refuses it', '{"model":"m"}', '{"model":"m"}'],
    ['asks for no usage: streams carry it', '{"model":"m","stream":true}', '{"model":"m","stream":true}'],
    [
      'counting takes no output limit',
      '{"model":"fast"}',
      '{"model":"m"}',
      { endpoint: 'messages.count_tokens', upstreamModel: 'm', outputTokensCap: 64 },
    ],
  ];
  for (const [what, before, after, options] of edits) {
    test(what, () => assert.equal(bodyOf(before, options), after));
  }

  test('whatever the body, the edits are the only difference and leave strict JSON', () => {
    const name = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => `x_${text}`);
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 }),
        fc.string({ unit: 'grapheme' }),
        (others, model) => {
          const before = JSON.stringify({ ...others, model: 'alias', tail: others });
          // Keys such as `__proto__` are refused before a request is built.
          fc.pre(scanJsonObject(Buffer.from(before)) instanceof JsonObjectScan);
          const after = bodyOf(before, { upstreamModel: model, outputTokensCap: 3 });
          assert.ok(scanJsonObject(Buffer.from(after)) instanceof JsonObjectScan);
          const expected = { ...(JSON.parse(before) as object), model, max_tokens: 3 };
          assert.deepEqual(JSON.parse(after), JSON.parse(JSON.stringify(expected)));
        },
      ),
    );
  });
});
