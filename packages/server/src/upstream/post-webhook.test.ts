import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readWebhookSecret, renderWebhookSecret, signWebhook } from './post-webhook.ts';

describe('webhook signatures', () => {
  // The example of the Standard Webhooks specification.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' };

  test('are those that receivers of Standard Webhooks verify', () => {
    const key = readWebhookSecret(secret) ?? assert.fail();
    assert.equal(
      signWebhook([key], message, 1_614_265_330),
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    );
    assert.equal(renderWebhookSecret(key), secret);
  });

  test('a secret that is short, long, or no base64 is none', () => {
    for (const text of [
      '',
      'whsec_',
      'whsec_AAAA',
      `whsec_${'A'.repeat(100)}`,
      secret.slice(6),
      `${secret}!`,
    ]) {
      assert.equal(readWebhookSecret(text), undefined, text);
    }
  });
});
