import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type MockProvider, startMockProvider } from './mock-provider.ts';

function call(provider: MockProvider, body: object, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(`${provider.url}/chat/completions`, { method: 'POST', body: JSON.stringify(body), signal });
}

describe('the stand-in for a provider', () => {
  test('bills exactly the calls that it answers in full', async () => {
    await using provider = await startMockProvider();
    provider.script({ kind: 'ok', tokens: { input: 100, output: 20 } }, { kind: 'status', status: 500 });
    const answer = (await (await call(provider, { model: 'm' })).json()) as { usage: object };
    assert.deepEqual(answer.usage, { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 });
    assert.equal((await call(provider, { model: 'm' })).status, 500);
    const events = await (
      await call(provider, { stream: true, stream_options: { include_usage: true } })
    ).text();
    assert.match(events, /"usage":\{"prompt_tokens":10,.*\ndata: \[DONE\]\n\n$/s);
    assert.equal(provider.calls.length, 3);
    assert.deepEqual(provider.bill, { calls: 2, input: 110, output: 25 });
  });

  test('answers nonsense, breaks off and says nothing, as it is told', async () => {
    await using provider = await startMockProvider();
    provider.script({ kind: 'garbage' }, { kind: 'html' }, { kind: 'no-usage' }, { kind: 'negative-usage' });
    await assert.rejects((await call(provider, {})).json());
    assert.equal((await call(provider, {})).headers.get('content-type'), 'text/html');
    assert.ok(!('usage' in ((await (await call(provider, {})).json()) as object)));
    assert.match(await (await call(provider, {})).text(), /"prompt_tokens":-10/);
    provider.script({ kind: 'half-stream' }, { kind: 'reset' }, { kind: 'hang' });
    await assert.rejects((await call(provider, { stream: true })).text());
    await assert.rejects(call(provider, {}));
    const abort = new AbortController();
    const hanging = call(provider, {}, abort.signal);
    await provider.arrived(7);
    abort.abort();
    await assert.rejects(hanging);
  });
});
