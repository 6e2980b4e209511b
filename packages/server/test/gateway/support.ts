/** Test support: a gateway with a scripted provider behind it, and how tests read what a call left behind. */
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import type { Config } from '../../src/main.ts';
import { rowsOf, textAt } from '../control/support.ts';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { type Answer, type Body, type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import { type MockProvider, startMockProvider } from '../mock-provider.ts';

export interface Gateway {
  readonly keyfold: TestKeyfold;
  readonly provider: MockProvider;
}

/** As much of a gateway as setting one up needs, wherever it runs. */
export interface Reachable {
  readonly keyfold: Pick<TestKeyfold, 'request'>;
  readonly provider: Pick<MockProvider, 'url'>;
}

/** The stand-in's credential: nothing that a client sees may hold it. */
export const PROVIDER_SECRET = 'sk-stand-in-0123456789abcdef';
/** A model of the stand-in at one dollar a million tokens in, two out. */
export const MODEL = 'stand-in';

/** One gateway and one provider for all tests in the body, on each kind of database or on those that are named. */
export function describeGateway(
  name: string,
  options: { readonly kinds?: readonly DatabaseKind['name'][]; readonly config?: Partial<Config> },
  body: (gateway: () => Gateway) => void,
): void {
  const kinds = DATABASE_KINDS.filter((kind) => options.kinds?.includes(kind.name) ?? true);
  for (const kind of kinds) {
    describe(`${name} on ${kind.name}`, () => {
      let gateway: Gateway | undefined;
      before(async () => {
        const provider = await startMockProvider();
        const keyfold = await startTestKeyfold(kind, options.config);
        gateway = { keyfold, provider };
        await addModel(gateway, { name: MODEL, input: '1', output: '2' });
      });
      after(async () => {
        await gateway?.keyfold.stop();
        await gateway?.provider.stop();
      });
      body(() => {
        assert.ok(gateway);
        return gateway;
      });
    });
  }
}

export interface ModelOptions {
  readonly name: string;
  /** Dollars per million tokens; no price is set where it is absent. */
  readonly input?: string;
  readonly output?: string;
  readonly contextTokens?: number;
  readonly outputTokensMax?: number;
  /** Instead of the provider's. */
  readonly baseUrl?: string;
  readonly streamPolicy?: string;
}

/** A credential that offers one model at the stand-in. Returns its id. */
export async function addModel({ keyfold, provider }: Reachable, model: ModelOptions): Promise<string> {
  const created = await keyfold.request('POST', '/v1/credentials', {
    provider: 'openai-compatible',
    name: model.name,
    secret: PROVIDER_SECRET,
    base_url: model.baseUrl ?? provider.url,
    allow_networks: ['127.0.0.0/8'],
    models: [model.name],
    ...(model.streamPolicy === undefined ? {} : { stream_policy: model.streamPolicy }),
  });
  assert.equal(created.status, 201, created.text);
  if (model.input !== undefined && model.output !== undefined) {
    const path = `/v1/catalog/models/openai-compatible/${model.name}`;
    const priced = await keyfold.request('PUT', path, {
      input_usd_per_million: model.input,
      output_usd_per_million: model.output,
      ...(model.contextTokens === undefined ? {} : { context_tokens: model.contextTokens }),
      ...(model.outputTokensMax === undefined ? {} : { output_tokens_max: model.outputTokensMax }),
    });
    assert.equal(priced.status, 200, priced.text);
  }
  return textAt(created, 'id');
}

export interface IssuedKey {
  readonly id: string;
  readonly secret: string;
}

/** A key that may chat and embed, unless said otherwise. */
export async function issueKey({ keyfold }: Reachable, body: object = {}): Promise<IssuedKey> {
  const permissions = ['chat', 'completions', 'embeddings'];
  const created = await keyfold.request('POST', '/v1/keys', { permissions, ...body });
  assert.equal(created.status, 201, created.text);
  return { id: textAt(created, 'id'), secret: textAt(created, 'api_key') };
}

export function chatBody(fields: object = {}): object {
  return { model: MODEL, max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }], ...fields };
}

/** One call. `body` is sent as JSON, or as it is when it is text. */
export function call({ keyfold }: Gateway, secret: string, body: unknown = chatBody()): Promise<Answer> {
  return keyfold.request('POST', '/v1/chat/completions', body, { key: secret });
}

export function errorOf(answer: { readonly body: Body }): Body {
  const { error } = answer.body;
  assert.ok(typeof error === 'object' && error !== null, JSON.stringify(answer.body));
  return error as Body;
}

/** The answer is OpenAI's error object with this status and code, and tells nothing of the inside. */
export function assertRefused(
  answer: { readonly status: number; readonly text: string; readonly body: Body },
  expected: { readonly status: number; readonly code: string; readonly param?: string | null },
): Body {
  assert.equal(answer.status, expected.status, answer.text);
  const error = errorOf(answer);
  assert.equal(error['code'], expected.code, answer.text);
  assert.equal(typeof error['message'], 'string', answer.text);
  assert.equal(typeof error['type'], 'string', answer.text);
  assert.ok('param' in error, answer.text);
  if (expected.param !== undefined) assert.equal(error['param'], expected.param, answer.text);
  assertSaysNothing(answer.text);
  return error;
}

const INTERNALS = [
  PROVIDER_SECRET,
  '127.0.0.1',
  'node_modules',
  '.ts:',
  'ECONN',
  'UND_ERR',
  'select ',
  'SQLITE',
];

export function assertSaysNothing(text: string): void {
  for (const internal of INTERNALS) assert.ok(!text.includes(internal), `'${internal}' is told in ${text}`);
}

/** The rows of the calls of a key, newest first; those that have ended. */
export async function callsOf({ keyfold }: Gateway, key: IssuedKey): Promise<readonly Body[]> {
  return rowsOf(await keyfold.request('GET', `/v1/calls?key_id=${key.id}&limit=100`));
}

/** The one call of a key, once it has ended. */
export async function onlyCall(gateway: Gateway, key: IssuedKey): Promise<Body> {
  const calls = await until(async () => {
    const rows = await callsOf(gateway, key);
    return rows.length > 0 ? rows : undefined;
  });
  assert.equal(calls.length, 1, JSON.stringify(calls));
  return calls[0] as Body;
}

/** What the audit log says about this request, oldest first. */
export async function auditOf({ keyfold }: Gateway, requestId: string): Promise<readonly Body[]> {
  const found: Body[] = [];
  let after = '';
  for (let page = 0; page < AUDIT_PAGES_MAX; page++) {
    const answer = await keyfold.request('GET', `/v1/audit/events?limit=100${after}`);
    found.push(...rowsOf(answer).filter((event) => event['request_id'] === requestId));
    if (answer.body['has_more'] !== true) break;
    after = `&after=${String(answer.body['last_id'])}`;
  }
  return found.toReversed();
}

/** The state of a key's own budgets, as the key sees it. */
export async function budgetsOf({ keyfold }: Gateway, key: IssuedKey): Promise<readonly Body[]> {
  const answer = await keyfold.request('GET', '/v1/keys/validate', undefined, { key: key.secret });
  assert.equal(answer.status, 200, answer.text);
  return answer.body['budgets'] as readonly Body[];
}

/** No money of this key is held any more. */
export async function assertNothingHeld(gateway: Gateway, key: IssuedKey): Promise<void> {
  const budgets = await budgetsOf(gateway, key);
  assert.ok(budgets.length > 0, 'a key without a budget holds nothing anyway');
  for (const budget of budgets) {
    assert.equal(Number(budget['held_usd']), 0, JSON.stringify(budget));
  }
}

/** Asks until there is an answer, for at most some seconds. */
export async function until<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 10_000,
): Promise<T> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > endMs)
      throw new Error(`nothing came within ${timeoutMs} ms of asking: ${ask.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const POLL_MS = 20;
const AUDIT_PAGES_MAX = 30;
