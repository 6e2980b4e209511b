import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modelCall } from '../../../test/model-call.ts';
import { buildRequest } from './build-request.ts';

describe('buildRequest', () => {
  test('a limit on output stands under the one name that DeepSeek knows', () => {
    const sent = (body: string, outputTokensMax?: number) =>
      buildRequest(
        modelCall(body, outputTokensMax === undefined ? { outputTokensCap: 9 } : { outputTokensMax }),
        's',
      ).body.toString();
    assert.equal(sent('{"model":"m"}'), '{"model":"m","max_tokens":9}');
    assert.equal(sent('{"max_completion_tokens":7}', 7), '{"max_completion_tokens":7,"max_tokens":7}');
  });

  test('thinking, its effort and reasoning that comes back pass as they are', () => {
    const body =
      '{"model":"m","thinking":{"type":"disabled"},"reasoning_effort":"max","messages":[{"role":"assistant","content":"x","reasoning_content":"y"}]}';
    const call = modelCall(body);
    assert.equal(buildRequest(call, 's').body, call.body);
  });

  test('usage is asked for in a stream', () => {
    const { body, headers, path } = buildRequest(modelCall('{"model":"m","stream":true}'), 'sk-1');
    assert.equal(body.toString(), '{"model":"m","stream":true,"stream_options":{"include_usage":true}}');
    assert.equal(headers['authorization'], 'Bearer sk-1');
    assert.equal(path, '/chat/completions');
  });
});
