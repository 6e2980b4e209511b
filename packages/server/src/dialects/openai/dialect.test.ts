import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openaiClient, openaiProvider } from './dialect.ts';
import { accepted, CONTEXT, sent } from './test-openai.ts';

test('a chat of this dialect goes to chat completions, whoever asks', () => {
  const chat = accepted(
    openaiClient.readRequest(sent({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] })),
  );
  assert.equal(openaiProvider.endpointFor(chat), 'chat.completions');
  assert.deepEqual(JSON.parse(accepted(openaiProvider.writeRequest(chat, 'upstream')).toString()), {
    model: 'upstream',
    messages: [{ role: 'user', content: 'Hi' }],
  });
});

test('every stream has an encoder and a decoder of its own', () => {
  assert.notEqual(openaiClient.createStreamEncoder(CONTEXT), openaiClient.createStreamEncoder(CONTEXT));
  assert.notEqual(openaiProvider.createStreamDecoder(), openaiProvider.createStreamDecoder());
});
