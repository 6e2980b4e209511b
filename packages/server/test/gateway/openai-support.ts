/** Test support: OpenAI's models at a stand-in. */
import assert from 'node:assert/strict';
import { type Gateway, PROVIDER_SECRET } from './support.ts';

/** One credential for OpenAI at the stand-in, and prices for its models. */
export async function addOpenAi(
  { keyfold }: Gateway,
  baseUrl: string,
  models: Readonly<Record<string, object | undefined>>,
): Promise<void> {
  const created = await keyfold.request('POST', '/v1/credentials', {
    provider: 'openai',
    name: 'endpoints',
    secret: PROVIDER_SECRET,
    base_url: baseUrl,
    allow_networks: ['127.0.0.0/8'],
    models: Object.keys(models),
  });
  assert.equal(created.status, 201, created.text);
  for (const [model, price] of Object.entries(models)) {
    if (price === undefined) continue;
    const priced = await keyfold.request('PUT', `/v1/catalog/models/openai/${model}`, price);
    assert.equal(priced.status, 200, priced.text);
  }
}
