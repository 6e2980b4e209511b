import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findProvider } from './registry.ts';

const ACCEPTED = { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'keyfold' };

/** Answers as the vendors' references show them, cut down to what names a model and what might be taken for it. */
const VENDORS: readonly {
  readonly id: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
  readonly names: readonly string[];
}[] = [
  ...['openai', 'openai-compatible', 'deepseek'].map((id) => ({
    id,
    path: '/models',
    headers: { authorization: 'Bearer s' },
    body: {
      object: 'list',
      data: [
        { id: 'first', object: 'model', created: 1_686_935_002, owned_by: 'organization-owner' },
        { id: 'meta-llama/second', object: 'model', owned_by: 'system' },
      ],
    },
    names: ['first', 'meta-llama/second'],
  })),
  {
    id: 'anthropic',
    path: '/models?limit=1000',
    headers: { 'x-api-key': 's', 'anthropic-version': '2023-06-01' },
    body: {
      data: [
        {
          id: 'claude-opus-4-6',
          capabilities: { batch: { supported: true } },
          created_at: '2026-02-04T00:00:00Z',
          display_name: 'Claude Opus 4.6',
          max_tokens: 0,
          type: 'model',
        },
      ],
      first_id: 'claude-opus-4-6',
      has_more: false,
      last_id: 'claude-opus-4-6',
    },
    names: ['claude-opus-4-6'],
  },
  {
    id: 'gemini',
    path: '/models?pageSize=1000',
    headers: { 'x-goog-api-key': 's' },
    body: {
      models: [
        {
          name: 'models/gemini-2.5-flash',
          baseModelId: 'gemini-2.5-flash',
          displayName: 'Gemini 2.5 Flash',
          supportedGenerationMethods: ['generateContent', 'countTokens'],
        },
      ],
    },
    names: ['gemini-2.5-flash'],
  },
];

describe('asking a vendor for its models', () => {
  for (const { id, path, headers, body, names } of VENDORS) {
    test(`${id} is asked as its reference says, and its answer read as names that calls can give`, () => {
      const models = findProvider(id)?.models;
      assert.ok(models);
      assert.deepEqual(models.buildRequest('s'), {
        method: 'GET',
        path,
        headers: { ...ACCEPTED, ...headers },
      });
      assert.deepEqual(models.read(Buffer.from(JSON.stringify(body))), names);
    });
  }

  test('no models are none, and a list with something else in it is no list', () => {
    const models = findProvider('openai')?.models;
    const read = (data: unknown) => models?.read(Buffer.from(JSON.stringify({ data })));
    assert.deepEqual(read([]), []);
    for (const data of [null, {}, 'm', ['m'], [{ id: 'm' }, { id: 7 }], [{ name: 'm' }]]) {
      assert.equal(read(data), undefined);
    }
  });
});
