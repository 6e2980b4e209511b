import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type RunOptions, run as runIn } from '../../test/run.ts';
import { type StandInApi, startStandInApi } from '../../test/stand-in-api.ts';

const cwd = mkdtempSync(join(tmpdir(), 'keyfold-cli-'));
let api: StandInApi;
before(async () => {
  api = await startStandInApi();
});
after(async () => {
  await api.close();
  rmSync(cwd, { recursive: true });
});

const run = (argv: readonly string[], options: RunOptions = {}) =>
  runIn(argv, { env: { KEYFOLD_URL: api.url, KEYFOLD_ADMIN_KEY: 'kf_admin_x' }, cwd, ...options });

const asList = (...data: readonly object[]) => ({
  body: { object: 'list', data, has_more: false, first_id: null, last_id: null },
});

describe('keyfold credentials', () => {
  const create = ['credentials', 'create', '--provider', 'openai', '--name', 'main'];
  const credential = {
    object: 'credential',
    id: 'crd_1',
    provider: 'openai',
    name: 'main',
    base_url: 'https://api.openai.com',
  };

  test('create takes the secret from standard input or a file, and never prints it', async () => {
    api.reply({ status: 201, body: credential });
    const piped = await run(create, { stdin: 'sk-secret\n' });
    assert.deepEqual(api.asked[0]?.body, { provider: 'openai', name: 'main', secret: 'sk-secret' });
    writeFileSync(join(cwd, 'openai.key'), 'sk-file\r\n');
    const fromFile = await run([...create, '--secret-file', 'openai.key', '--allow-networks', '127.0.0.0/8']);
    assert.deepEqual(api.asked[1]?.body, {
      provider: 'openai',
      name: 'main',
      secret: 'sk-file',
      allow_networks: ['127.0.0.0/8'],
    });
    assert.match(piped.stdout, /Added credential crd_1/);
    for (const { stdout, stderr } of [piped, fromFile]) assert.doesNotMatch(stdout + stderr, /sk-/);
  });

  test('create takes no secret from the arguments, and sends nothing without one', async () => {
    api.reply({});
    assert.equal((await run([...create, '--secret', 'sk-secret'])).code, 2);
    assert.equal((await run([...create, 'sk-secret'])).code, 2);
    assert.equal((await run(create, { stdin: '\n' })).code, 2);
    assert.equal((await run([...create, '--secret-file', 'none'])).code, 2);
    assert.deepEqual(api.asked, []);
  });

  test('create offers what the API takes, and no unknown vendor', async () => {
    api.reply({ status: 201, body: credential });
    const unknown = ['credentials', 'create', '--provider', 'azure', '--name', 'main'];
    const { code, stderr } = await run(unknown, { stdin: 'sk-secret' });
    assert.equal(code, 2);
    assert.match(stderr, /openai, anthropic, google, deepseek, openai-compatible/);
    assert.equal(api.asked.length, 0);
    const rules = ['--weight', '2', '--requests-per-minute', '60', '--concurrent-requests', '4'];
    assert.equal((await run([...create, ...rules], { stdin: 'sk-secret' })).code, 0);
    assert.deepEqual(api.asked[0]?.body, {
      provider: 'openai',
      name: 'main',
      secret: 'sk-secret',
      weight: 2,
      limits: { requests_per_minute: 60, concurrent_requests: 4 },
    });
  });

  test('list, show and delete', async () => {
    api.reply(asList(credential));
    assert.match(
      (await run(['credentials', 'list'])).stdout,
      /^crd_1 +openai +main +https:\/\/api\.openai\.com$/m,
    );
    api.reply({ body: credential });
    assert.match((await run(['credentials', 'show', 'crd_1'])).stdout, /^provider +openai$/m);
    api.reply({ status: 204, body: '' });
    assert.equal((await run(['credentials', 'delete', 'crd_1'])).stdout, 'Deleted crd_1.\n');
    assert.deepEqual([api.asked[0]?.method, api.asked[0]?.url], ['DELETE', '/v1/credentials/crd_1']);
  });
});

describe('keyfold projects and budgets', () => {
  test('projects are listed and made', async () => {
    api.reply(asList({ id: 'prj_1', name: 'default', created_at: '2030-01-01T00:00:00Z' }));
    assert.match((await run(['projects', 'list'])).stdout, /^prj_1 +default +2030/m);
    api.reply({ status: 201, body: { id: 'prj_2', name: 'search' } });
    assert.equal((await run(['projects', 'create', 'search'])).stdout, 'Made project prj_2 (search).\n');
    assert.deepEqual(api.asked[0]?.body, { name: 'search' });
  });

  test('budgets are listed with what is left, and set', async () => {
    const budget = {
      scope: 'project',
      scope_id: 'prj_1',
      period: 'month',
      cap_usd: '10.00',
      remaining_usd: '9.50',
    };
    api.reply(asList(budget));
    assert.match(
      (await run(['budgets', 'list', '--scope', 'project'])).stdout,
      /^project +prj_1 +month +10\.00 +9\.50$/m,
    );
    assert.equal(api.asked[0]?.url, '/v1/budgets?scope=project');
    api.reply({ body: budget });
    const set = [
      'budgets',
      'set',
      '--scope',
      'project',
      '--scope-id',
      'prj_1',
      '--period',
      'month',
      '--cap-usd',
      '10',
    ];
    assert.match((await run(set)).stdout, /month budget of prj_1 to 10 USD; remaining: 9\.50 USD/);
    assert.deepEqual(api.asked[0], {
      method: 'PUT',
      url: '/v1/budgets',
      authorization: 'Bearer kf_admin_x',
      idempotencyKey: undefined,
      body: { scope: 'project', scope_id: 'prj_1', period: 'month', cap_usd: '10' },
    });
    api.reply({ body: budget });
    const until = '2030-01-01T00:00:00Z';
    const terms = ['--time-zone', 'Europe/Berlin', '--alert-percents', '50,80'];
    await run([...set, ...terms, '--raise-usd', '20', '--raise-until', until]);
    assert.deepEqual(api.asked[0]?.body, {
      scope: 'project',
      scope_id: 'prj_1',
      period: 'month',
      cap_usd: '10',
      time_zone: 'Europe/Berlin',
      raise: { cap_usd: '20', until },
      alert_percents: [50, 80],
    });
    const half = await run([...set, '--raise-usd', '20']);
    assert.deepEqual([half.code, /go together/.test(half.stderr)], [2, true]);
    assert.equal(
      (await run(['budgets', 'set', '--scope', 'team', '--period', 'month', '--cap-usd', '1'])).code,
      2,
    );
  });
});

describe('keyfold usage and calls', () => {
  test('usage shows what it is grouped by first and its sums to the right', async () => {
    api.reply(
      asList(
        { calls: 3, cost_usd: '1.20', key_id: 'key_1' },
        { calls: 10, cost_usd: '0.05', key_id: 'key_2' },
      ),
    );
    const { stdout } = await run(['usage', '--group-by', 'key', '--from', '2030-01-01T00:00:00Z']);
    assert.equal(stdout, 'KEY ID  CALLS  COST USD\nkey_1       3      1.20\nkey_2      10      0.05\n');
    assert.equal(api.asked[0]?.url, '/v1/usage?group_by=key&from=2030-01-01T00%3A00%3A00.000Z');
  });

  test('calls are filtered by key and time', async () => {
    api.reply(asList({ id: 'res_1', key_id: 'key_1', model: 'openai/gpt-4.1', cost_usd: '0.01' }));
    const { stdout } = await run(['calls', '--key', 'key_1', '--limit', '20']);
    assert.equal(api.asked[0]?.url, '/v1/calls?key_id=key_1&limit=20');
    assert.match(stdout, /^res_1 +key_1 +openai\/gpt-4\.1 +0\.01$/m);
  });
});

describe('keyfold models', () => {
  test('set-price sends decimal text to the path of the model, whose name may hold slashes', async () => {
    api.reply({ body: { object: 'model' } });
    const flags = ['--input', '0.10', '--output', '0.30', '--context-tokens', '8192'];
    assert.equal((await run(['models', 'set-price', 'openai-compatible/meta/llama 3', ...flags])).code, 0);
    assert.equal(api.asked[0]?.url, '/v1/catalog/models/openai-compatible/meta/llama%203');
    assert.deepEqual(api.asked[0]?.body, {
      input_usd_per_million: '0.10',
      output_usd_per_million: '0.30',
      context_tokens: 8192,
    });
    assert.equal((await run(['models', 'set-price', 'llama', ...flags])).code, 2);
    assert.equal((await run(['models', 'set-price', 'openai/..', ...flags])).code, 2);
  });

  test('import sends the file and says how much of it was taken', async () => {
    api.reply({ body: { imported: 2, skipped: [{ model: 'x' }] } });
    writeFileSync(join(cwd, 'prices.json'), '{"gpt-4.1": {}}');
    const { stdout } = await run(['models', 'import', 'prices.json']);
    assert.deepEqual(api.asked[0]?.body, { 'gpt-4.1': {} });
    assert.match(stdout, /imported: 2, skipped: 1/);
    writeFileSync(join(cwd, 'broken.json'), '{');
    const broken = await run(['models', 'import', 'broken.json']);
    assert.deepEqual([broken.code, /not JSON/.test(broken.stderr)], [2, true]);
  });

  test('list has prices to the right', async () => {
    api.reply(asList({ provider: 'openai', model: 'gpt-4.1', input_usd_per_million: '2.00' }));
    assert.match((await run(['models', 'list'])).stdout, /^openai +gpt-4\.1 +2\.00$/m);
  });
});
