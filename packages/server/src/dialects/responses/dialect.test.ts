import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, CONTEXT, sent } from '../openai/test-openai.ts';
import { openaiProvider } from '../openai/dialect.ts';
import { responsesClient } from './dialect.ts';

test('a client of the Responses API can ask a server that knows chat completions alone', () => {
  const chat = accepted(
    responsesClient.readRequest(sent({ model: 'm', input: 'Hi', instructions: 'Be brief.' })),
  );
  assert.deepEqual(JSON.parse(accepted(openaiProvider.writeRequest(chat, 'upstream')).toString()), {
    model: 'upstream',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ],
  });
});

test('the reasoning of such a server comes back to it through a client of the Responses API', () => {
  const message = { role: 'assistant', content: 'So.', reasoning_content: 'Hm.' };
  const body = { id: 'a', model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }] };
  const answer = openaiProvider.readAnswer(Buffer.from(JSON.stringify(body)));
  assert.ok(answer);
  const { output } = JSON.parse(responsesClient.writeAnswer(answer, CONTEXT).toString()) as {
    output: readonly object[];
  };
  const next = accepted(
    responsesClient.readRequest(sent({ model: 'm', input: [{ role: 'user', content: 'Hi' }, ...output] })),
  );
  const written = JSON.parse(accepted(openaiProvider.writeRequest(next, 'm')).toString()) as {
    messages: readonly unknown[];
  };
  assert.deepEqual(written.messages[1], message);
});

test('every stream has an encoder of its own', () => {
  assert.notEqual(responsesClient.createStreamEncoder(CONTEXT), responsesClient.createStreamEncoder(CONTEXT));
});
