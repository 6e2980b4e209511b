import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import { type CallOptions, modelCall } from '../../../test/model-call.ts';
import { buildRequest } from './build-request.ts';

const GENERATE = { endpoint: 'generateContent', upstreamModel: 'gemini-x' } as const;

function bodyOf(body: string, options: CallOptions = {}): string {
  return buildRequest(modelCall(body, { ...GENERATE, ...options }), 's').body.toString();
}

function pathOf(upstreamModel: string): string {
  return buildRequest(modelCall('{}', { endpoint: 'generateContent', upstreamModel }), 's').path;
}

describe('buildRequest', () => {
  test('sends the headers of the allow-list and nothing else', () => {
    const plain = buildRequest(modelCall('{"contents":[]}', GENERATE), 'AIza-1');
    assert.deepEqual(
      { ...plain, body: plain.body.toString() },
      {
        method: 'POST',
        path: '/models/gemini-x:generateContent',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'accept-encoding': 'identity',
          'x-goog-api-key': 'AIza-1',
          'user-agent': 'keyfold',
        },
        body: '{"contents":[]}',
      },
    );
  });

  test('the secret is in its header and nowhere else', () => {
    for (const endpoint of [
      'generateContent',
      'streamGenerateContent',
      'countTokens',
      'embedContent',
    ] as const) {
      const call = modelCall('{"model":"models/a"}', { ...GENERATE, endpoint, outputTokensCap: 9 });
      const { headers, body, path } = buildRequest(call, 'secret-value');
      const { 'x-goog-api-key': key, ...others } = headers;
      assert.equal(key, 'secret-value');
      assert.ok(!JSON.stringify([others, body.toString(), path]).includes('secret-value'));
    }
  });

  test('each method has its path, and a stream always comes as events', () => {
    const requestTo = (endpoint: 'streamGenerateContent' | 'countTokens' | 'embedContent') =>
      buildRequest(modelCall('{}', { ...GENERATE, endpoint }), 's');
    const streamed = requestTo('streamGenerateContent');
    assert.equal(streamed.path, '/models/gemini-x:streamGenerateContent?alt=sse');
    assert.equal(streamed.headers['accept'], 'text/event-stream');
    assert.equal(requestTo('countTokens').path, '/models/gemini-x:countTokens');
    assert.equal(requestTo('embedContent').path, '/models/gemini-x:embedContent');
    assert.equal(requestTo('embedContent').headers['accept'], 'application/json');
  });

  const paths: readonly [string, string][] = [
    ['gemini-2.5-pro_A1', 'gemini-2.5-pro_A1'],
    ['../../files', '..%2F..%2Ffiles'],
    ['x:embedContent?key=1#', 'x%3AembedContent%3Fkey%3D1%23'],
    ['a b%2f\\', 'a%20b%252f%5C'],
    ["!'()*~&=+;,@$", '%21%27%28%29%2A%7E%26%3D%2B%3B%2C%40%24'],
    ['ü言\n', '%C3%BC%E8%A8%80%0A'],
    ['\ud800', '%EF%BF%BD'],
    ['', ''],
  ];
  for (const [name, segment] of paths) {
    test(`the model ${JSON.stringify(name)} stays in its segment of the path`, () => {
      assert.equal(pathOf(name), `/models/${segment}:generateContent`);
    });
  }

  test('no name leaves its segment or changes the method', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        assert.match(pathOf(name), /^\/models\/(?:[A-Za-z0-9._-]|%[0-9A-F]{2})*:generateContent$/);
        const { pathname, search, hash } = new URL(`https://vendor.example/v1beta${pathOf(name)}`);
        assert.deepEqual([pathname, search, hash], [`/v1beta${pathOf(name)}`, '', '']);
      }),
    );
  });

  test('a body that needs no edit is the very same buffer', () => {
    for (const body of [
      ' { "contents" : [ ] } ',
      '{"model":"models/gemini-x","generationConfig":{"maxOutputTokens":5}}',
    ]) {
      const call = modelCall(body, { ...GENERATE, outputTokensMax: 5 });
      assert.equal(buildRequest(call, 's').body, call.body);
    }
  });

  const cap = { outputTokensCap: 64 };
  const edits: readonly [string, string, string, CallOptions?][] = [
    [
      'sets the output limit',
      '{"contents":[]}\n',
      '{"contents":[],"generationConfig":{"maxOutputTokens":64}}\n',
    ],
    ['fills an empty body', '{}', '{"generationConfig":{"maxOutputTokens":64}}'],
    [
      'keeps what else is configured, and its spelling',
      '{ "generationConfig" : { "temperature" : 1.0e0 } }',
      '{ "generationConfig" : { "temperature" : 1.0e0 ,"maxOutputTokens":64} }',
    ],
    [
      'fills an empty configuration',
      '{"generationConfig":{}}',
      '{"generationConfig":{"maxOutputTokens":64}}',
    ],
    [
      'replaces a configuration of null',
      '{"generationConfig":null}',
      '{"generationConfig":{"maxOutputTokens":64}}',
    ],
    [
      'replaces a limit of null',
      '{"generationConfig":{"maxOutputTokens":null,"topK":1}}',
      '{"generationConfig":{"maxOutputTokens":64,"topK":1}}',
    ],
    [
      'knows the configuration by its other name',
      '{"generation_config":{"top_k":1}}',
      '{"generation_config":{"top_k":1,"maxOutputTokens":64}}',
    ],
    [
      'knows the limit by its other name',
      '{"generation_config":{"max_output_tokens":null}}',
      '{"generation_config":{"max_output_tokens":64}}',
    ],
    [
      'edits the configuration that has a value',
      '{"generationConfig":null,"generation_config":{}}',
      '{"generationConfig":null,"generation_config":{"maxOutputTokens":64}}',
    ],
    [
      'writes one limit where two are null',
      '{"generationConfig":{"maxOutputTokens":null,"max_output_tokens":null}}',
      '{"generationConfig":{"maxOutputTokens":64,"max_output_tokens":null}}',
    ],
    [
      'never overrides a limit of the client',
      '{"generationConfig":{"maxOutputTokens":5}}',
      '{"generationConfig":{"maxOutputTokens":5}}',
    ],
    [
      'never overrides a limit of the other name',
      '{"generationConfig":{"max_output_tokens":5}}',
      '{"generationConfig":{"max_output_tokens":5}}',
    ],
    [
      'a limit of another dialect is none',
      '{"max_tokens":5}',
      '{"max_tokens":5,"generationConfig":{"maxOutputTokens":64}}',
    ],
    ['leaves wrong types to the server', '{"generationConfig":"x"}', '{"generationConfig":"x"}'],
    ['embeddings have no output to limit', '{"content":{}}', '{"content":{}}', { endpoint: 'embedContent' }],
    [
      'a batch names the model of its path in every request',
      '{"requests":[{"model":"models/alias","content":{"parts":[]}},{"content":{}}]}',
      '{"requests":[{"model":"models/gemini-x","content":{"parts":[]}},{"content":{},"model":"models/gemini-x"}]}',
      { endpoint: 'batchEmbedContents' },
    ],
    [
      'a batch that names it already stays as it is',
      '{"requests": [ {"model":"models/gemini-x"}]}',
      '{"requests": [ {"model":"models/gemini-x"}]}',
      { endpoint: 'batchEmbedContents' },
    ],
    [
      'a batch keeps all else of it, down to the spelling of numbers',
      '{"requests": [ { "outputDimensionality" : 7.68e2, "big":12345678901234567890,"model" : "models/alias" } ,7,{ },{"model":null}]}',
      '{"requests": [ { "outputDimensionality" : 7.68e2, "big":12345678901234567890,"model" : "models/gemini-x" } ,7,{ "model":"models/gemini-x"},{"model":"models/gemini-x"}]}',
      { endpoint: 'batchEmbedContents' },
    ],
    [
      'a batch that is no list is left',
      '{"requests":{}}',
      '{"requests":{}}',
      { endpoint: 'batchEmbedContents' },
    ],
    ['counting has no output to limit', '{"contents":[]}', '{"contents":[]}', { endpoint: 'countTokens' }],
    [
      'streams are limited too',
      '{}',
      '{"generationConfig":{"maxOutputTokens":64}}',
      { endpoint: 'streamGenerateContent' },
    ],
  ];
  for (const [what, before, after, options] of edits) {
    test(what, () => assert.equal(bodyOf(before, { ...cap, ...options }), after));
  }

  test('a model in the body never contradicts the path', () => {
    assert.equal(bodyOf('{"model":"alias"}'), '{"model":"gemini-x"}');
    assert.equal(bodyOf('{"model":"models/alias"}'), '{"model":"models/gemini-x"}');
    assert.equal(bodyOf('{"model":"tunedModels/mine"}'), '{"model":"gemini-x"}');
    assert.equal(bodyOf('{"model":null}'), '{"model":null}');
    const embed = { endpoint: 'embedContent' } as const;
    assert.equal(
      bodyOf('{"model":"models/alias","content":{}}', embed),
      '{"model":"models/gemini-x","content":{}}',
    );
  });

  test('a request that is only counted names the same model', () => {
    const count = { endpoint: 'countTokens' } as const;
    for (const name of ['generateContentRequest', 'generate_content_request']) {
      assert.equal(
        bodyOf(`{"${name}":{"model":"models/alias","contents":[]}}`, count),
        `{"${name}":{"model":"models/gemini-x","contents":[]}}`,
      );
      assert.equal(bodyOf(`{"${name}":null}`, count), `{"${name}":null}`);
    }
    const elsewhere = '{"generateContentRequest":{"model":"models/alias"}}';
    assert.equal(bodyOf(elsewhere), elsewhere);
  });

  test('whatever the body, the edits are the only difference and leave strict JSON', () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const name = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => `x_${text}`);
    const config = fc.option(fc.dictionary(name, json, { maxKeys: 3 }), { nil: null });
    fc.assert(
      fc.property(fc.dictionary(name, json, { maxKeys: 5 }), config, (others, generationConfig) => {
        const before = JSON.stringify({ ...others, generationConfig, tail: others });
        fc.pre(scanJsonObject(Buffer.from(before)) instanceof JsonObjectScan);
        const after = buildRequest(modelCall(before, { ...GENERATE, outputTokensCap: 3 }), 's').body;
        assert.ok(scanJsonObject(after) instanceof JsonObjectScan);
        const expected = {
          ...(JSON.parse(before) as object),
          generationConfig: { ...generationConfig, maxOutputTokens: 3 },
        };
        assert.deepEqual(JSON.parse(after.toString()), JSON.parse(JSON.stringify(expected)));
      }),
    );
  });
});
