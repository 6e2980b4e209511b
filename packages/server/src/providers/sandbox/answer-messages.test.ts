import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import type { LocalAnswer } from '../provider.ts';
import { type CallOptions, modelCall, runTap } from '../../../test/model-call.ts';
import { answerMessages } from './answer-messages.ts';
import { sandbox } from './provider.ts';

interface Message {
  readonly id: string;
  readonly model: string;
  readonly content: { type: string; text: string }[];
  readonly stop_reason: string;
  readonly usage: Record<string, unknown>;
  readonly input_tokens?: number;
  readonly error?: { type: string; message: string };
}

function ask(body: object, options: CallOptions = {}): LocalAnswer {
  return answerMessages(modelCall({ model: 'echo', ...body }, { endpoint: 'messages', ...options }));
}

function parse(local: LocalAnswer): Message {
  assert.equal(local.headers['content-type'], 'application/json');
  return JSON.parse(Buffer.concat(local.chunks).toString()) as Message;
}

function say(content: unknown, others: object = {}): Message {
  return parse(ask({ max_tokens: 4096, messages: [{ role: 'user', content }], ...others }));
}

/** Anthropic's own client, whose calls go no further than the sandbox. */
const client = new Anthropic({
  apiKey: 'k',
  maxRetries: 0,
  fetch: (url, init) => {
    const isCount = new Request(url).url.endsWith('/count_tokens');
    const endpoint = isCount ? 'messages.count_tokens' : 'messages';
    assert.ok(typeof init?.body === 'string');
    const answer = sandbox.answer?.(modelCall(init.body, { endpoint }));
    assert.ok(answer);
    const { status, headers, chunks } = answer;
    return Promise.resolve(new Response(new Uint8Array(Buffer.concat(chunks)), { status, headers }));
  },
});

describe('answerMessages', () => {
  test('echoes the last user message', () => {
    const messages = [
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'reply' },
      {
        role: 'user',
        content: [{ type: 'text', text: 'sec' }, { type: 'image' }, { type: 'text', text: 'ond' }],
      },
      { role: 'assistant', content: 'prefill' },
    ];
    const message = parse(ask({ max_tokens: 9, messages }));
    assert.deepEqual(message.content, [{ type: 'text', text: 'second', citations: null }]);
    assert.equal(message.stop_reason, 'end_turn');
    assert.equal(message.model, 'echo');
    assert.match(message.id, /^msg_/);
  });

  test('equal bodies have equal answers, and other bodies have other ids', () => {
    const body = { max_tokens: 9, messages: [{ role: 'user', content: 'x' }] };
    assert.deepEqual(ask(body), ask(body));
    assert.notEqual(parse(ask(body)).id, parse(ask({ ...body, temperature: 1 })).id);
  });

  test('counts a token for every four bytes, of the system prompt, the messages and the output', () => {
    const { usage } = say('héllo', { system: [{ type: 'text', text: 'be brief' }] });
    assert.deepEqual([usage['input_tokens'], usage['output_tokens']], [4, 2]);
    const counting: CallOptions = { endpoint: 'messages.count_tokens' };
    const counted = ask({ system: 'be brief', messages: [{ role: 'user', content: 'héllo' }] }, counting);
    assert.deepEqual(parse(counted), { input_tokens: 4 });
    assert.deepEqual(sandbox.readUsage('messages', Buffer.from(JSON.stringify({ usage }))), {
      usage: {
        inputTokens: 4,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        longCacheWriteTokens: 0,
        outputTokens: 2,
        reasoningTokens: 0,
      },
    });
  });

  test('stops at the output limit and says so', () => {
    const { content, stop_reason: reason, usage } = say('abcdefgh', { max_tokens: 1 });
    assert.deepEqual([content[0]?.text, reason, usage['output_tokens']], ['abcd', 'max_tokens', 1]);
    const silent = say('abcdefgh', { max_tokens: 0 });
    assert.deepEqual(
      [silent.content[0]?.text, silent.stop_reason, silent.usage['output_tokens']],
      ['', 'max_tokens', 0],
    );
    const capped = ask({ messages: [{ role: 'user', content: 'abcdefgh' }] }, { outputTokensCap: 1 });
    assert.equal(parse(capped).stop_reason, 'max_tokens');
  });

  test('a stream tells what the whole answer tells, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        (text, limit) => {
          const body = { max_tokens: limit, messages: [{ role: 'user', content: text }] };
          const whole = parse(ask(body));
          const call = modelCall({ model: 'echo', stream: true, ...body }, { endpoint: 'messages' });
          const { chunks } = answerMessages(call);
          for (const chunk of chunks) assert.match(chunk.toString(), /^event: [a-z_]+\ndata: [^\n]+\n\n$/);
          const { summary } = runTap(sandbox.createStreamTap(call), Buffer.concat(chunks));
          const read = sandbox.readUsage('messages', Buffer.from(JSON.stringify(whole)));
          assert.deepEqual(summary, { reading: read, completed: true });
        },
      ),
    );
  });

  test("Anthropic's own client understands it, whole, streamed, counted and refused", async () => {
    const content = 'a text that is longer than one piece, with 言葉 and 🌊';
    const body = { model: 'echo', max_tokens: 12, messages: [{ role: 'user' as const, content }] };
    const whole = await client.messages.create(body);
    const streamed = await client.messages.stream(body).finalMessage();
    assert.deepEqual(streamed.content, whole.content);
    assert.deepEqual(streamed.usage, whole.usage);
    assert.equal(streamed.stop_reason, 'max_tokens');
    const { max_tokens: _limit, ...counted } = body;
    assert.equal((await client.messages.countTokens(counted)).input_tokens, whole.usage.input_tokens);
    await assert.rejects(client.messages.create({ ...body, messages: [] }), Anthropic.BadRequestError);
  });

  test('refuses what it cannot take, by name', () => {
    const messages = [{ role: 'user', content: 'x' }];
    const wrong: readonly [object, string][] = [
      [{ max_tokens: 5 }, 'messages'],
      [{ max_tokens: 5, messages: [] }, 'messages'],
      [{ max_tokens: 5, messages: 'x' }, 'messages'],
      [{ messages }, 'max_tokens'],
      [{ max_tokens: -1, messages }, 'max_tokens'],
      [{ max_tokens: '5', messages }, 'max_tokens'],
    ];
    for (const [body, field] of wrong) {
      const refusal = ask(body);
      assert.equal(refusal.status, 400);
      const { error } = parse(refusal);
      assert.equal(error?.type, 'invalid_request_error');
      assert.ok(error?.message.startsWith(`${field} `));
    }
  });
});
