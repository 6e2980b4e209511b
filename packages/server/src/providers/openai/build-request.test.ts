import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CallOptions, modelCall } from '../../../test/model-call.ts';
import { buildRequest as buildCompatible } from '../openai-compatible/build-request.ts';
import { buildRequest } from './build-request.ts';

function bodyOf(body: string, options: CallOptions): string {
  return buildRequest(modelCall(body, options), 's').body.toString();
}

describe('buildRequest', () => {
  test('a new limit stands under the newer name for chats, under the older for completions', () => {
    const limited = (endpoint: 'chat.completions' | 'completions') =>
      bodyOf('{"model":"m"}', { endpoint, outputTokensCap: 7 });
    assert.equal(limited('chat.completions'), '{"model":"m","max_completion_tokens":7}');
    assert.equal(limited('completions'), '{"model":"m","max_tokens":7}');
  });

  test("a chat keeps the client's limit under either name, and completions never count the newer", () => {
    const limited = (endpoint: 'chat.completions' | 'completions', body: string) =>
      bodyOf(body, { endpoint, outputTokensMax: 7 });
    const [older, newer] = ['{"max_tokens":7}', '{"max_completion_tokens":7}'];
    assert.equal(limited('chat.completions', older), older);
    assert.equal(limited('chat.completions', newer), newer);
    assert.equal(limited('completions', newer), '{"max_completion_tokens":7,"max_tokens":7}');
    const both = '{"max_tokens":null,"max_completion_tokens":7}';
    assert.equal(limited('chat.completions', both), both);
  });

  test('all else is as for every compatible server', () => {
    const call = modelCall('{"model":"fast","stream":true}', { upstreamModel: 'gpt-5-mini' });
    assert.deepEqual(buildRequest(call, 'sk-1'), buildCompatible(call, 'sk-1'));
  });
});
