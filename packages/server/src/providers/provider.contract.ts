/** What every provider guarantees. Run it with a provider, an endpoint, and a stream and a body of that endpoint's own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DIALECTS, type Endpoint, type ModelCall, type Provider } from './provider.ts';
import { type CallOptions, modelCall, runTap } from '../../test/model-call.ts';

export interface ProviderSubject {
  readonly provider: Provider;
  /** One that generates, and can be streamed. */
  readonly endpoint: Endpoint;
  /** The one header that the secret is sent in; absent where there is no upstream. */
  readonly secretHeader?: string;
  /** A complete streamed answer that reports usage. */
  readonly stream: Buffer;
  /** The same without any usage. */
  readonly streamWithoutUsage: Buffer;
  /** A stream that breaks off with an error. */
  readonly streamWithError: Buffer;
  /** A complete answer that was not streamed. */
  readonly body: Buffer;
  /** Usage rides on a piece of the streamed answer, and so nothing is kept from any client. */
  readonly hasUsageInAnswer?: boolean;
}

const UNKNOWN = { x_new_field: { deep: [1, 'é', null] }, temperature: 0.25 };
const MESSAGES = { messages: [{ role: 'user', content: 'hello', x_new_field: true }] };

export function testProvider(name: string, subject: ProviderSubject): void {
  const { provider, endpoint } = subject;
  const newCall = (body: object, options: CallOptions = {}): ModelCall =>
    modelCall({ model: 'm', ...body, ...MESSAGES }, { endpoint, ...options });
  const silent = newCall({ stream: true });
  const asking = newCall({ stream: true, stream_options: { include_usage: true } });

  describe(`${name} keeps the contract of a provider`, () => {
    test('it is asked in the dialects of its endpoints', () => {
      assert.ok(provider.endpoints.includes(endpoint));
      for (const each of provider.endpoints) assert.ok(provider.dialects.includes(DIALECTS[each]), each);
    });

    test('a stream cut at any byte is relayed and read as the whole', () => {
      for (const call of [silent, asking]) {
        for (const stream of [subject.stream, subject.streamWithoutUsage, subject.streamWithError]) {
          const whole = runTap(provider.createStreamTap(call), stream);
          for (let cut = 0; cut <= stream.length; cut++) {
            assert.deepEqual(runTap(provider.createStreamTap(call), stream, [cut]), whole, `cut at ${cut}`);
          }
          const everywhere = Array.from(stream.keys());
          assert.deepEqual(runTap(provider.createStreamTap(call), stream, everywhere), whole);
        }
      }
    });

    test('a client that asked for usage gets the stream untouched', () => {
      const { relayed, summary } = runTap(provider.createStreamTap(asking), subject.stream);
      assert.equal(relayed, subject.stream.toString());
      assert.ok('usage' in summary.reading);
      assert.equal(summary.completed, true);
    });

    if (DIALECTS[endpoint] === 'openai') {
      test('a client that did not ask gets everything but usage', () => {
        const { relayed, summary } = runTap(provider.createStreamTap(silent), subject.stream);
        if (subject.hasUsageInAnswer === true) assert.equal(relayed, subject.stream.toString());
        else assert.ok(!/"usage":\s*\{/.test(relayed));
        assert.ok('usage' in summary.reading);
      });
    } else {
      test('usage is part of the dialect, and no client need ask for it', () => {
        const asked = runTap(provider.createStreamTap(asking), subject.stream);
        assert.deepEqual(runTap(provider.createStreamTap(silent), subject.stream), asked);
      });
    }

    test('usage is whole numbers in disjoint classes', () => {
      const streamed = runTap(provider.createStreamTap(silent), subject.stream).summary.reading;
      for (const reading of [streamed, provider.readUsage(endpoint, subject.body)]) {
        assert.ok('usage' in reading);
        for (const tokens of Object.values(reading.usage))
          assert.ok(Number.isSafeInteger(tokens) && tokens >= 0);
      }
    });

    test('missing usage is missing, never zero', () => {
      const { summary } = runTap(provider.createStreamTap(silent), subject.streamWithoutUsage);
      assert.deepEqual(summary.reading, { problem: 'missing' });
      assert.deepEqual(provider.readUsage(endpoint, Buffer.from('{}')), { problem: 'missing' });
    });

    test('an error in mid-stream reaches the client, and the stream is not complete', () => {
      const { relayed, summary } = runTap(provider.createStreamTap(silent), subject.streamWithError);
      assert.equal(relayed, subject.streamWithError.toString());
      assert.equal(summary.completed, false);
      assert.deepEqual(summary.reading, { problem: 'missing' });
    });

    test('nonsense is judged, not thrown at', () => {
      for (const nonsense of ['', '\u0000', '{', '{"error":7}', 'null', '<html></html>']) {
        const body = Buffer.from(nonsense);
        assert.ok('problem' in provider.readUsage(endpoint, body));
        for (const status of [100, 302, 400, 401, 404, 429, 500, 503, 999]) {
          assert.ok(
            ['never', 'elsewhere', 'anywhere'].includes(provider.classifyFailure(status, body).retry),
          );
        }
        runTap(provider.createStreamTap(silent), body);
      }
    });

    test('fields that Keyfold does not know are kept', () => {
      const call = newCall({ model: 'alias', ...UNKNOWN }, { upstreamModel: 'real', outputTokensCap: 9 });
      if (provider.answer !== undefined) {
        assert.equal(provider.answer(call).status, 200);
        return;
      }
      const sent = JSON.parse(provider.buildRequest(call, 'secret').body.toString()) as Record<
        string,
        unknown
      >;
      for (const [field, value] of Object.entries({ ...UNKNOWN, ...MESSAGES }))
        assert.deepEqual(sent[field], value);
      assert.equal(sent['model'], 'real');
    });

    test('its models are asked for with the secret in its own header, and only a list is read as one', () => {
      const { models } = provider;
      assert.equal(models === undefined, subject.secretHeader === undefined);
      if (models === undefined || subject.secretHeader === undefined) return;
      const { method, path, headers } = models.buildRequest('secret-value');
      const { [subject.secretHeader]: own, ...others } = headers;
      assert.equal(method, 'GET');
      assert.match(own ?? '', /^(?:Bearer )?secret-value$/);
      assert.ok(!JSON.stringify([others, path]).includes('secret-value'));
      for (const nonsense of ['', '{', 'null', '[]', '{}', '<html></html>', '{"data":[7],"models":[7]}']) {
        assert.equal(models.read(Buffer.from(nonsense)), undefined);
      }
    });

    test('the secret is in its own header and nowhere else', () => {
      if (subject.secretHeader === undefined) {
        assert.throws(() => provider.buildRequest(silent, 'secret-value'), TypeError);
        return;
      }
      const { headers, body, path } = provider.buildRequest(silent, 'secret-value');
      const { [subject.secretHeader]: own, ...others } = headers;
      assert.match(own ?? '', /^(?:Bearer )?secret-value$/);
      assert.ok(!JSON.stringify([others, body.toString(), path]).includes('secret-value'));
    });
  });
}
