/** Test support: what most tests of the management API begin with, and how they read its answers. */
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { type Answer, type Body, type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import type { MockProvider } from '../mock-provider.ts';

/** One server for all tests in the body, on each kind of database. */
export function describeOnEachDatabase(name: string, body: (keyfold: () => TestKeyfold) => void): void {
  for (const kind of DATABASE_KINDS) {
    describe(`${name} on ${kind.name}`, () => {
      let keyfold: TestKeyfold | undefined;
      before(async () => {
        keyfold = await startTestKeyfold(kind);
      });
      after(async () => {
        await keyfold?.stop();
      });
      body(() => {
        assert.ok(keyfold);
        return keyfold;
      });
    });
  }
}

export function textAt(of: Answer | Body, name: string): string {
  const body = isAnswer(of) ? of.body : of;
  const value = body[name];
  assert.equal(typeof value, 'string', `${name} in ${JSON.stringify(body)}`);
  return String(value);
}

/** The rows of a list. */
export function rowsOf(answer: Answer): readonly Body[] {
  assert.equal(answer.status, 200, answer.text);
  const { data } = answer.body;
  assert.ok(Array.isArray(data), answer.text);
  return data as Body[];
}

export function assertProblem(
  answer: Answer,
  expected: { readonly status: number; readonly code: string; readonly param?: string },
): void {
  assert.equal(answer.status, expected.status, answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  assert.equal(answer.body['code'], expected.code, answer.text);
  assert.equal(answer.body['status'], expected.status);
  assert.equal(answer.body['request_id'], answer.headers.get('x-request-id'));
  if (expected.param !== undefined) assert.equal(answer.body['param'], expected.param, answer.text);
}

/** A problem without what is different in each. */
export function withoutRequestId({ body }: Answer): Body {
  return { ...body, request_id: undefined };
}

/** A key, with its secret as `api_key`. Unless said otherwise it may chat. */
export async function createKey(keyfold: TestKeyfold, body: object = {}): Promise<Body> {
  const answer = await keyfold.request('POST', '/v1/keys', { permissions: ['chat'], ...body });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

/** An admin key that may do this and nothing else. */
export async function createAdmin(keyfold: TestKeyfold, ...permissions: readonly string[]): Promise<string> {
  return textAt(await createKey(keyfold, { kind: 'admin', permissions }), 'api_key');
}

/** A credential that reaches the stand-in, and a price for its model: one dollar in, two out. */
export async function addProvider(
  keyfold: TestKeyfold,
  provider: MockProvider,
  of: { readonly name: string; readonly secret?: string },
): Promise<Body> {
  const created = await keyfold.request('POST', '/v1/credentials', {
    provider: 'openai-compatible',
    name: of.name,
    secret: of.secret ?? 'sk-stand-in',
    base_url: provider.url,
    allow_networks: ['127.0.0.0/8'],
    models: [of.name],
  });
  assert.equal(created.status, 201, created.text);
  const priced = await keyfold.request('PUT', `/v1/catalog/models/openai-compatible/${of.name}`, {
    input_usd_per_million: '1',
    output_usd_per_million: '2',
  });
  assert.equal(priced.status, 200, priced.text);
  return created.body;
}

/** One call to the sandbox, or to the model that is named. */
export function chat(keyfold: TestKeyfold, key: string, model = 'sandbox/echo'): Promise<Answer> {
  const body = { model, max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] };
  return keyfold.request('POST', '/v1/chat/completions', body, { key });
}

/** The newest events first. */
export async function auditEvents(keyfold: TestKeyfold, limit = 100): Promise<readonly Body[]> {
  return rowsOf(await keyfold.request('GET', `/v1/audit/events?limit=${limit}`));
}

/** The newest event of an action on a target. */
export async function findEvent(
  keyfold: TestKeyfold,
  wanted: { readonly action: string; readonly target: string },
): Promise<Body> {
  const events = await auditEvents(keyfold);
  const found = events.find(({ action, target }) => action === wanted.action && target === wanted.target);
  assert.ok(found, `${wanted.action} of ${wanted.target} is not among ${JSON.stringify(events)}`);
  return found;
}

function isAnswer(of: Answer | Body): of is Answer {
  return of['headers'] instanceof Headers;
}
