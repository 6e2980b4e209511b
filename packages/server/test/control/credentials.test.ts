import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMockProvider } from '../mock-provider.ts';
import {
  addProvider,
  assertProblem,
  chat,
  createKey,
  describeOnEachDatabase,
  findEvent,
  rowsOf,
  textAt,
  withoutRequestId,
} from './support.ts';

describeOnEachDatabase('credentials', (keyfold) => {
  const create = (body: object) => keyfold().request('POST', '/v1/credentials', body);

  test('a credential takes what its vendor implies, is shown and listed without its secret, and is recorded', async () => {
    const created = await create({ provider: 'openai', name: 'main', secret: 'sk-first-of-all' });
    assert.equal(created.status, 201, created.text);
    assert.equal(created.body['base_url'], 'https://api.openai.com/v1');
    assert.equal(created.body['version'], 1);
    assert.equal(created.body['models'], null);
    const id = textAt(created, 'id');
    const shown = await keyfold().request('GET', `/v1/credentials/${id}`);
    assert.deepEqual(shown.body, created.body);
    const [listed] = rowsOf(await keyfold().request('GET', '/v1/credentials?provider=openai'));
    assert.deepEqual(listed, created.body);
    assert.deepEqual(rowsOf(await keyfold().request('GET', '/v1/credentials?provider=deepseek')), []);
    const event = await findEvent(keyfold(), { action: 'credential.created', target: id });
    assert.ok(!JSON.stringify([created.body, listed, event]).includes('sk-first-of-all'));
  });

  test('a call carries the secret, and after a rotation the new one', async () => {
    await using provider = await startMockProvider();
    const credential = await addProvider(keyfold(), provider, { name: 'rotated', secret: 'sk-before' });
    const secret = textAt(await createKey(keyfold()), 'api_key');
    assert.equal((await chat(keyfold(), secret, 'rotated')).status, 200);
    const path = `/v1/credentials/${textAt(credential, 'id')}`;
    const rotated = await keyfold().request('POST', `${path}/rotate`, { secret: 'sk-after' });
    assert.equal(rotated.status, 200, rotated.text);
    assert.equal(rotated.body['version'], 2);
    assert.equal((await chat(keyfold(), secret, 'rotated')).status, 200);
    const sent = provider.calls.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, ['Bearer sk-before', 'Bearer sk-after']);
    const event = await findEvent(keyfold(), {
      action: 'credential.updated',
      target: textAt(credential, 'id'),
    });
    assert.ok(!JSON.stringify(event).includes('sk-after'));
  });

  test('a base URL that is changed takes the secret that came with it, and the next call', async () => {
    await using first = await startMockProvider();
    await using second = await startMockProvider();
    const credential = await addProvider(keyfold(), first, { name: 'moved', secret: 'sk-moves' });
    const secret = textAt(await createKey(keyfold()), 'api_key');
    assert.equal((await chat(keyfold(), secret, 'moved')).status, 200);
    const path = `/v1/credentials/${textAt(credential, 'id')}`;
    const moved = await keyfold().request('PATCH', path, { base_url: second.url, secret: 'sk-moved' });
    assert.equal(moved.status, 200, moved.text);
    assert.deepEqual([moved.body['version'], moved.body['base_url']], [2, second.url]);
    assert.equal((await chat(keyfold(), secret, 'moved')).status, 200);
    assert.deepEqual([first.calls.length, second.calls.length], [1, 1]);
    assert.equal(second.calls[0]?.headers.authorization, 'Bearer sk-moved');
  });

  test('nobody has a stored secret sent elsewhere: who changes where it goes must send it again', async () => {
    await using first = await startMockProvider();
    await using second = await startMockProvider();
    const credential = await addProvider(keyfold(), first, { name: 'unmoved', secret: 'sk-unmoved' });
    const path = `/v1/credentials/${textAt(credential, 'id')}`;
    for (const change of [
      { base_url: second.url },
      { allow_networks: ['127.0.0.0/8', '10.0.0.0/8'] },
      { base_url: second.url, allow_networks: ['127.0.0.0/8'], name: 'moved away' },
    ]) {
      assertProblem(await keyfold().request('PATCH', path, change), {
        status: 400,
        code: 'invalid_request',
        param: 'secret',
      });
    }
    assert.deepEqual((await keyfold().request('GET', path)).body, credential);
    const secret = textAt(await createKey(keyfold()), 'api_key');
    assert.equal((await chat(keyfold(), secret, 'unmoved')).status, 200);
    assert.deepEqual([first.calls.length, second.calls.length], [1, 0]);
    const same = await keyfold().request('PATCH', path, { base_url: first.url, name: 'unmoved, renamed' });
    assert.equal(same.status, 200, same.text);
  });

  test('a change leaves what it does not name', async () => {
    await using provider = await startMockProvider();
    const credential = await addProvider(keyfold(), provider, { name: 'renamed' });
    const path = `/v1/credentials/${textAt(credential, 'id')}`;
    const renamed = await keyfold().request('PATCH', path, { name: 'renamed again' });
    assert.equal(renamed.status, 200, renamed.text);
    const { name, version, updated_at: updatedAt, ...rest } = credential;
    assert.deepEqual([name, version], ['renamed', 1]);
    assert.equal(typeof updatedAt, 'string');
    assert.deepEqual(renamed.body, {
      ...rest,
      name: 'renamed again',
      version: 2,
      updated_at: renamed.body['updated_at'],
    });
    assertProblem(await keyfold().request('PATCH', path, { models: null }), {
      status: 400,
      code: 'invalid_request',
      param: 'models',
    });
    assertProblem(await keyfold().request('PATCH', path, { allow_networks: [] }), {
      status: 400,
      code: 'invalid_request',
      param: 'base_url',
    });
  });

  test('a deleted credential serves no further call', async () => {
    await using provider = await startMockProvider();
    const credential = await addProvider(keyfold(), provider, { name: 'deleted' });
    const secret = textAt(await createKey(keyfold()), 'api_key');
    assert.equal((await chat(keyfold(), secret, 'deleted')).status, 200);
    const path = `/v1/credentials/${textAt(credential, 'id')}`;
    assert.equal((await keyfold().request('DELETE', path)).status, 204);
    assert.equal((await chat(keyfold(), secret, 'deleted')).status, 404);
    assert.equal(provider.calls.length, 1);
    assertProblem(await keyfold().request('GET', path), { status: 404, code: 'not_found' });
    assertProblem(await keyfold().request('DELETE', path), { status: 404, code: 'not_found' });
    await findEvent(keyfold(), { action: 'credential.deleted', target: textAt(credential, 'id') });
  });

  test('a name is taken once, also by requests that meet, when made and when changed', async () => {
    const body = { provider: 'deepseek', name: 'once', secret: 'sk-1' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => create(body)));
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    for (const answer of answers)
      if (answer.status !== 201) assertProblem(answer, { status: 409, code: 'conflict' });
    const made = await create({ ...body, name: 'twice' });
    const renamed = await keyfold().request('PATCH', `/v1/credentials/${textAt(made, 'id')}`, {
      name: 'once',
    });
    assertProblem(renamed, { status: 409, code: 'conflict', param: 'name' });
    const theirs = await keyfold().request('POST', '/v1/credentials', body, { key: keyfold().strangerKey });
    assert.equal(theirs.status, 201, theirs.text);
  });

  test('of two that are renamed to one name at once, one gets it', async () => {
    const made = await Promise.all(
      [1, 2, 3].map((index) => create({ provider: 'deepseek', name: `racer ${index}`, secret: 'sk-1' })),
    );
    const answers = await Promise.all(
      made.map((each) =>
        keyfold().request('PATCH', `/v1/credentials/${textAt(each, 'id')}`, { name: 'winner' }),
      ),
    );
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    for (const answer of answers)
      if (answer.status !== 200) assertProblem(answer, { status: 409, code: 'conflict' });
  });

  test('of changes that meet, none is lost in silence', async () => {
    const made = await create({ provider: 'deepseek', name: 'contested', secret: 'sk-0' });
    const path = `/v1/credentials/${textAt(made, 'id')}`;
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, index) =>
        keyfold().request('POST', `${path}/rotate`, { secret: `sk-${index}` }),
      ),
    );
    const succeeded = answers.filter(({ status }) => status === 200);
    for (const answer of answers)
      if (answer.status !== 200) assertProblem(answer, { status: 409, code: 'conflict' });
    const shown = await keyfold().request('GET', path);
    assert.equal(shown.body['version'], 1 + succeeded.length);
  });

  test("another organization's credential is as absent as none", async () => {
    const theirs = await keyfold().request(
      'POST',
      '/v1/credentials',
      { provider: 'openai', name: 'theirs', secret: 'sk-theirs' },
      { key: keyfold().strangerKey },
    );
    const id = textAt(theirs, 'id');
    for (const [method, suffix, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { name: 'ours' }],
      ['DELETE', '', undefined],
      ['POST', '/rotate', { secret: 'sk-ours' }],
    ] as const) {
      const foreign = await keyfold().request(method, `/v1/credentials/${id}${suffix}`, body);
      const absent = await keyfold().request(method, `/v1/credentials/crd_none${suffix}`, body);
      assertProblem(foreign, { status: 404, code: 'not_found' });
      assert.deepEqual(withoutRequestId(foreign), withoutRequestId(absent));
    }
    const shown = await keyfold().request('GET', `/v1/credentials/${id}`, undefined, {
      key: keyfold().strangerKey,
    });
    assert.deepEqual(shown.body, theirs.body);
  });

  const sound = { provider: 'openai', name: 'refused', secret: 'sk-refused' };
  const own = { ...sound, provider: 'openai-compatible', base_url: 'https://llm.example/v1', models: ['m'] };
  const refused: readonly [string, object, string][] = [
    ['an unknown field', { ...sound, colour: 'red' }, 'colour'],
    ['a weight of nothing', { ...sound, weight: 0 }, 'weight'],
    ['a weight beyond measure', { ...sound, weight: 1_001 }, 'weight'],
    ['a limit of nothing', { ...sound, limits: { requests_per_minute: 0 } }, 'limits.requests_per_minute'],
    ['an unknown limit', { ...sound, limits: { per_day: 1 } }, 'limits.per_day'],
    ['no secret', { provider: 'openai', name: 'refused' }, 'secret'],
    ['an empty secret', { ...sound, secret: '' }, 'secret'],
    ['a secret with a line break', { ...sound, secret: 'sk\r\nx-admin: 1' }, 'secret'],
    ['a secret with a space', { ...sound, secret: 'sk a' }, 'secret'],
    ['a secret beyond ASCII', { ...sound, secret: 'skü' }, 'secret'],
    ['a secret that is too long', { ...sound, secret: 'a'.repeat(4097) }, 'secret'],
    ['an unknown provider', { ...sound, provider: 'acme' }, 'provider'],
    ['the sandbox', { ...sound, provider: 'sandbox' }, 'provider'],
    ['no base URL where one is needed', { ...own, base_url: undefined }, 'base_url'],
    ['an empty list of models', { ...own, models: [] }, 'models'],
    ['a model with a space', { ...own, models: ['a b'] }, 'models.0'],
    ['plain HTTP', { ...own, base_url: 'http://llm.example/v1' }, 'base_url'],
    ['a private address', { ...own, base_url: 'https://10.0.0.1/v1' }, 'base_url'],
    ['a loopback address in decimal', { ...own, base_url: 'https://2130706433/v1' }, 'base_url'],
    ['the metadata address', { ...own, base_url: 'https://169.254.169.254/v1' }, 'base_url'],
    ['a user in the URL', { ...own, base_url: 'https://a:b@llm.example/v1' }, 'base_url'],
    ['a query in the URL', { ...own, base_url: 'https://llm.example/v1?a=b' }, 'base_url'],
    ['another scheme', { ...own, base_url: 'file:///etc/passwd' }, 'base_url'],
    ['a network that is none', { ...own, allow_networks: ['ten'] }, 'allow_networks'],
    ['networks that are no list', { ...own, allow_networks: '10.0.0.0/8' }, 'allow_networks'],
  ];
  for (const [name, body, param] of refused) {
    test(`a credential with ${name} is refused`, async () => {
      assertProblem(await create(body), { status: 400, code: 'invalid_request', param });
    });
  }

  test('every vendor is taken, at its own address unless the credential says another', async () => {
    for (const [provider, url] of [
      ['anthropic', 'https://api.anthropic.com/v1'],
      ['google', 'https://generativelanguage.googleapis.com/v1beta'],
      ['deepseek', 'https://api.deepseek.com/v1'],
    ] as const) {
      const answer = await create({ provider, name: provider, secret: 'sk-secret' });
      assert.equal(answer.status, 201);
      assert.equal(textAt(answer, 'base_url'), url);
    }
  });

  test('a refusal never repeats the secret', async () => {
    const answer = await create({ ...sound, secret: 'sk-with space-inside' });
    assert.ok(!answer.text.includes('space-inside'));
  });
});
