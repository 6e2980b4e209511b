import assert from 'node:assert/strict';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { type Answer, type Body, type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import { startHttp, startTcp } from '../stand-in-origin.ts';
import {
  assertProblem,
  auditEvents,
  chat,
  createAdmin,
  createKey,
  findEvent,
  rowsOf,
  textAt,
  withoutRequestId,
} from './support.ts';

const SECRET = 'sk-tested-and-never-shown';
const LIST = { object: 'list', data: [{ id: 'first' }, { id: 'meta/second' }] };
/** Long enough for a stand-in that answers at once, short enough to wait for one that never does. */
const HEADERS_TIMEOUT_MS = 1_500;

const json =
  (status: number, body: unknown): RequestListener =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const listing = json(200, LIST);
/** As careless vendors do. */
const echoing = (status: number): RequestListener =>
  json(status, { error: { message: `Incorrect API key provided: ${SECRET}`, code: 'some_code' } });

for (const kind of DATABASE_KINDS) {
  describe(`a credential is tested on ${kind.name}`, () => {
    let started: TestKeyfold | undefined;
    before(async () => {
      started = await startTestKeyfold(kind, { providerHeadersTimeoutMs: HEADERS_TIMEOUT_MS });
    });
    after(async () => {
      await started?.stop();
    });
    const keyfold = () => {
      assert.ok(started);
      return started;
    };
    const create = (body: Body, key = keyfold().adminKey) =>
      keyfold().request('POST', '/v1/credentials', { secret: SECRET, ...body }, { key });
    const own = (name: string, url: string) => ({
      provider: 'openai-compatible',
      name,
      base_url: url,
      allow_networks: ['127.0.0.0/8'],
    });
    const add = async (body: Body): Promise<string> => textAt(await create(body), 'id');
    const run = (id: string, key = keyfold().adminKey) =>
      keyfold().request('POST', `/v1/credentials/${id}/test`, undefined, { key });

    /** What was tested is recorded, and nobody is told the secret or what the provider said. */
    const assertTested = async (id: string, answer: Answer, expected: Body): Promise<void> => {
      assert.equal(answer.status, 200, answer.text);
      const { latency_ms: latencyMs, ...body } = answer.body;
      assert.ok(Number.isSafeInteger(latencyMs) && Number(latencyMs) >= 0);
      assert.deepEqual(body, {
        object: 'credential_test',
        credential_id: id,
        reason: null,
        models: [],
        has_more_models: false,
        ...expected,
      });
      const { detail } = await findEvent(keyfold(), { action: 'credential.tested', target: id });
      assert.deepEqual(
        detail,
        expected['ok'] === true ? { ok: true } : { ok: false, reason: expected['reason'] },
      );
      const recorded = JSON.stringify(await auditEvents(keyfold()));
      for (const text of [answer.text, recorded, await keyfold().readStored()]) {
        assert.ok(!text.includes(SECRET) && !text.includes('Incorrect API key'));
      }
    };

    test('a secret that works is ok, with the models that the provider has', async () => {
      const heard: IncomingMessage[] = [];
      await using server = await startHttp((request, response) => {
        heard.push(request);
        listing(request, response);
      });
      const id = await add({ ...own('works', `${server.url}/v1`), models: ['m'] });
      const answer = await run(id);
      await assertTested(id, answer, { ok: true, provider_status: 200, models: ['first', 'meta/second'] });
      assert.deepEqual(
        heard.map(({ method, url, headers }) => [method, url, headers.authorization]),
        [['GET', '/v1/models', `Bearer ${SECRET}`]],
      );
    });

    test("each vendor is asked in its own way, at the credential's own address", async () => {
      const heard: IncomingMessage[] = [];
      const gemini = { models: [{ name: 'models/gemini-x' }] };
      await using server = await startHttp((request, response) => {
        heard.push(request);
        json(200, request.url?.includes('pageSize') === true ? gemini : LIST)(request, response);
      });
      const at = { base_url: `${server.url}/api`, allow_networks: ['127.0.0.0/8'] };
      const anthropic = await add({ provider: 'anthropic', name: 'anthropic', ...at });
      await assertTested(anthropic, await run(anthropic), {
        ok: true,
        provider_status: 200,
        models: ['first', 'meta/second'],
      });
      const google = await add({ provider: 'google', name: 'google', ...at });
      await assertTested(google, await run(google), { ok: true, provider_status: 200, models: ['gemini-x'] });
      const [first, second] = heard;
      assert.equal(first?.url, '/api/models?limit=1000');
      assert.equal(first?.headers['x-api-key'], SECRET);
      assert.equal(first?.headers['anthropic-version'], '2023-06-01');
      assert.equal(second?.url, '/api/models?pageSize=1000');
      assert.equal(second?.headers['x-goog-api-key'], SECRET);
    });

    const failures: readonly [string, string, number, RequestListener][] = [
      ['refuses the secret', 'credential', 401, echoing(401)],
      ['forbids it', 'permission', 403, echoing(403)],
      ['limits it', 'rate_limit', 429, echoing(429)],
      ['has no money left', 'quota', 429, json(429, { error: { code: 'insufficient_quota' } })],
      ['has no such path', 'not_found', 404, echoing(404)],
      ['refuses the request', 'request', 400, echoing(400)],
      ['is overloaded', 'overload', 503, echoing(503)],
      ['fails', 'server', 500, echoing(500)],
      ['answers with a page', 'unreadable', 200, (_, response) => void response.end('<html>Hello</html>')],
      ['answers with another object', 'unreadable', 200, json(200, { models: 'all' })],
    ];
    for (const [what, reason, status, listener] of failures) {
      test(`a provider that ${what} is told as '${reason}', and what it said is not`, async () => {
        await using server = await startHttp(listener);
        const id = await add({ ...own(what, server.url), models: ['m'] });
        await assertTested(id, await run(id), { ok: false, reason, provider_status: status });
      });
    }

    test('a redirect is not followed, and the secret goes nowhere else', async () => {
      const heard: string[] = [];
      await using elsewhere = await startHttp((request, response) => {
        heard.push(String(request.url));
        listing(request, response);
      });
      await using server = await startHttp((_: IncomingMessage, response: ServerResponse) => {
        response.writeHead(302, { location: `${elsewhere.url}/models` }).end();
      });
      const id = await add({ ...own('redirected', server.url), models: ['m'] });
      await assertTested(id, await run(id), { ok: false, reason: 'redirected', provider_status: null });
      assert.deepEqual(heard, []);
    });

    test('connections that are refused, broken or silent are told apart', async () => {
      const silent = await startTcp((socket) => void socket.resume());
      const broken = await startTcp((socket) => socket.destroy());
      await using absent = await startTcp(() => undefined);
      const { url: absentUrl } = absent;
      await absent[Symbol.asyncDispose]();
      for (const [reason, url] of [
        ['timeout', silent.url],
        ['reset', broken.url],
        ['refused', absentUrl],
      ] as const) {
        const id = await add({ ...own(reason, url), models: ['m'] });
        await assertTested(id, await run(id), { ok: false, reason, provider_status: null });
      }
      await silent[Symbol.asyncDispose]();
      await broken[Symbol.asyncDispose]();
    });

    test('a name that leads to a forbidden address is not dialled', async () => {
      const id = await add({ provider: 'openai', name: 'inside', base_url: 'https://localhost/v1' });
      await assertTested(id, await run(id), { ok: false, reason: 'denied_address', provider_status: null });
    });

    test('a success lets a credential serve again that was resting, and a failure does not', async () => {
      let status = 401;
      await using server = await startHttp((request, response) => {
        (status === 200 ? listing : echoing(status))(request, response);
      });
      const id = await add({ ...own('resting', server.url), models: ['resting'] });
      const health = async () =>
        (await keyfold().request('GET', `/v1/credentials/${id}`)).body['health'] as Body;
      await keyfold().request('PUT', '/v1/catalog/models/openai-compatible/resting', {
        input_usd_per_million: '1',
        output_usd_per_million: '2',
      });
      const secret = textAt(await createKey(keyfold()), 'api_key');
      assert.equal((await chat(keyfold(), secret, 'resting')).status, 502);
      assert.equal((await health())['state'], 'resting');
      await run(id);
      assert.equal((await health())['state'], 'resting');
      status = 200;
      await run(id);
      assert.deepEqual(await health(), { state: 'healthy', reason: null, rests_for_seconds: 0 });
    });

    test('a test that is sent again under its Idempotency-Key has its first answer, and the provider is asked once', async () => {
      let asked = 0;
      await using server = await startHttp((request, response) => {
        asked++;
        listing(request, response);
      });
      const id = await add({ ...own('repeated', server.url), models: ['m'] });
      const headers = { 'idempotency-key': `test-${id}` };
      const again = () => keyfold().request('POST', `/v1/credentials/${id}/test`, undefined, { headers });
      const first = await again();
      assert.equal(first.body['ok'], true);
      assert.equal((await again()).text, first.text);
      assert.equal(asked, 1);
    });

    test("another organization's credential is as absent as none, and is not asked", async () => {
      let asked = 0;
      await using server = await startHttp((request, response) => {
        asked++;
        listing(request, response);
      });
      const theirs = await create({ ...own('theirs', server.url), models: ['m'] }, keyfold().strangerKey);
      const foreign = await run(textAt(theirs, 'id'));
      assertProblem(foreign, { status: 404, code: 'not_found' });
      assert.deepEqual(withoutRequestId(foreign), withoutRequestId(await run('crd_none')));
      assert.equal(asked, 0);
    });

    test('who may only read credentials may not have them tested', async () => {
      let asked = 0;
      await using server = await startHttp((request, response) => {
        asked++;
        listing(request, response);
      });
      const id = await add({ ...own('read only', server.url), models: ['m'] });
      const reader = await createAdmin(keyfold(), 'credentials:read');
      assertProblem(await run(id, reader), { status: 403, code: 'permission_denied' });
      assert.equal(asked, 0);
    });

    test("a server of one's own that is not told its models is asked for them, and they are stored", async () => {
      const heard: (string | undefined)[] = [];
      const data = ['first', 'first', 'meta/second', 'no name', SECRET].map((id) => ({ id }));
      await using server = await startHttp((request, response) => {
        heard.push(request.headers.authorization);
        json(200, { data })(request, response);
      });
      const created = await create(own('asked', server.url));
      assert.equal(created.status, 201, created.text);
      assert.deepEqual(created.body['models'], ['first', 'meta/second']);
      assert.deepEqual(heard, [`Bearer ${SECRET}`]);
      const shown = await keyfold().request('GET', `/v1/credentials/${textAt(created, 'id')}`);
      assert.deepEqual(shown.body, created.body);
      assert.ok(!(await keyfold().readStored()).includes(SECRET));
    });

    test('of one that does not say what it has nothing is stored, and the refusal says what to do', async () => {
      await using refusing = await startHttp(echoing(401));
      await using html = await startHttp((_, response) => void response.end('<html></html>'));
      await using empty = await startHttp(json(200, { data: [] }));
      const many = Array.from({ length: 1_001 }, (_, index) => ({ id: `m-${index}` }));
      await using endless = await startHttp(json(200, { data: many }));
      await using absent = await startTcp(() => undefined);
      const { url: absentUrl } = absent;
      await absent[Symbol.asyncDispose]();
      for (const [reason, body] of [
        ['credential', own('unsaid', refusing.url)],
        ['unreadable', own('unsaid', html.url)],
        ['none', own('unsaid', empty.url)],
        ['too_many', own('unsaid', endless.url)],
        ['refused', own('unsaid', absentUrl)],
        ['denied_address', { ...own('unsaid', 'https://localhost/v1'), allow_networks: [] }],
      ] as const) {
        const answer = await create(body);
        assertProblem(answer, { status: 400, code: 'invalid_request', param: 'models' });
        assert.equal(answer.body['reason'], reason);
        assert.match(textAt(answer, 'detail'), /Name the models in 'models', or mend base_url/);
        assert.ok(!answer.text.includes(SECRET) && !answer.text.includes('Incorrect API key'));
      }
      const listed = rowsOf(await keyfold().request('GET', '/v1/credentials?limit=100'));
      assert.ok(!listed.some(({ name }) => name === 'unsaid'));
      const created = (await auditEvents(keyfold())).filter(({ action }) => action === 'credential.created');
      assert.ok(!JSON.stringify(created).includes('unsaid'));
    });

    test('the description of the API has the test, and what happens without models', async () => {
      const { body } = await keyfold().request('GET', '/openapi.json', undefined, { key: null });
      const paths = body['paths'] as Record<string, Record<string, Body>>;
      assert.match(String(paths['/v1/credentials/{id}/test']?.['post']?.['summary']), /models/);
      assert.match(JSON.stringify(paths['/v1/credentials']?.['post']), /not named any is asked/);
      assert.match(JSON.stringify(body['components']), /"CredentialTest"/);
    });
  });
}
