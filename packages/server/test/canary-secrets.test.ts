import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKeyPairSync } from 'node:crypto';
import { parseSecret } from '@keyfold/protocol';
import { signedFetch } from '../../sdk/src/signing/index.ts';
import { DATABASE_KINDS } from './databases.ts';
import { type Body, sendJson } from './keyfold.ts';
import { createKeyfoldProcess } from './keyfold-process.ts';
import { startMockProvider } from './mock-provider.ts';

const SECRETS = 200;
const PROVIDER_SECRETS = 40;

/** Every way in which a careless program writes down what it should not. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const body = secret.slice(secret.lastIndexOf('_') + 1);
  return [
    secret,
    // Without its prefix and checksum it would do for a thief, too.
    ...(parseSecret(secret) === undefined ? [] : [body.slice(0, 43)]),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    // The ends depend on what stands around it.
    bytes.toString('base64').slice(0, -4),
    Buffer.from(` ${secret}`).toString('base64').slice(4, -4),
    Buffer.from(`  ${secret}`).toString('base64').slice(4, -4),
    bytes.toString('base64url').slice(0, -4),
    encodeURIComponent(secret),
    [...bytes].map((byte) => `%${byte.toString(16)}`).join(''),
  ];
}

for (const kind of DATABASE_KINDS) {
  test(`of ${SECRETS} secrets none is found in the database, its log, the logs, the audit log or the metrics, on ${kind.name}`, async () => {
    await using provider = await startMockProvider();
    await using keyfold = await createKeyfoldProcess(kind);
    await keyfold.start({ KEYFOLD_LOG_LEVEL: 'trace' });
    const secrets: string[] = [keyfold.adminKey];
    const ask = async (method: string, path: string, body?: unknown, key = keyfold.adminKey) => {
      const answer = await sendJson(`${keyfold.url}${path}`, { method, body, options: { key } });
      for (const name of ['api_key', 'new_api_key', 'signing_secret']) {
        const secret = answer.body[name];
        if (typeof secret === 'string') secrets.push(secret);
      }
      return answer;
    };
    for (let index = 0; index < PROVIDER_SECRETS; index++) {
      const secret = `sk-canary-${index}-${'0123456789abcdefghij'.slice(index % 10)}`;
      secrets.push(secret);
      const made = await ask('POST', '/v1/credentials', {
        provider: 'openai-compatible',
        name: `model-${index}`,
        secret,
        base_url: provider.url,
        allow_networks: ['127.0.0.0/8'],
        models: [`model-${index}`],
      });
      assert.equal(made.status, 201, made.text);
    }
    const call = { model: 'model-1', max_tokens: 5, messages: [{ role: 'user', content: 'Hello' }] };
    const { publicKey } = generateKeyPairSync('ed25519');
    const rawKey = publicKey.export({ format: 'jwk' }).x;
    for (let index = 0; secrets.length < SECRETS; index++) {
      const signing = index % 2 === 0 ? { required: false, versions: ['1', '2', 'rfc9421'] } : undefined;
      const made = await ask('POST', '/v1/keys', { permissions: ['chat'], signing });
      assert.equal(made.status, 201, made.text);
      const key = String(made.body['api_key']);
      const path = `/v1/keys/${String(made.body['id'])}`;
      await ask('POST', '/v1/chat/completions', call, key);
      if (signing !== undefined) await callSigned(keyfold.url, made.body, call);
      // Whatever goes wrong with a secret in it is logged somewhere.
      await ask('GET', `/v1/models?api_key=${key}`);
      await ask('POST', '/v1/keys/verify', { key, permission: 'chat' });
      await ask('POST', '/v1/keys', { permissions: ['chat'], name: 'x', unknown: key });
      await ask('POST', '/v1/chat/completions', { ...call, model: key }, key);
      await ask('POST', '/v1/chat/completions', call, `${key}x`);
      if (index % 5 === 0) await ask('POST', `${path}/rotate`);
      if (index % 10 === 0) await ask('POST', `${path}/signing-secret/rotate`);
      if (index % 7 === 0)
        await ask('POST', '/v1/leaks', { secret: key, note: `found ${key}`, url: `http://x/?k=${key}` });
      if (index % 9 === 0) await ask('POST', '/v1/keys/self/children', {}, key);
    }
    await ask('POST', '/v1/keys', {
      permissions: ['chat'],
      signing: { algorithm: 'ed25519', public_key: rawKey },
    });
    const shown = [];
    for (const path of [
      '/metrics',
      '/v1/keys?limit=100',
      '/v1/audit/events?limit=100',
      '/v1/calls?limit=100',
    ]) {
      shown.push((await ask('GET', path)).text);
    }
    assert.ok(secrets.length >= SECRETS);

    const directory = join(keyfold.dataDir, 'data');
    const files = keyfold.databaseUrl === undefined ? readdirSync(directory) : [];
    if (keyfold.databaseUrl === undefined) {
      assert.ok(
        files.some((name) => name.endsWith('-wal')),
        'the write-ahead log is searched as well',
      );
    }
    const stored =
      keyfold.databaseUrl === undefined
        ? files.map((name) => readFileSync(join(directory, name), 'latin1')).join('\n')
        : await dumpTables(keyfold.databaseUrl);
    assert.ok(stored.includes('kf_live_'), 'what is searched is what was stored: displays are there');
    // The admin key's own file and the root key are not the database, and what was printed is the operator's.
    const haystack = [stored, keyfold.output, ...shown].join('\n');
    const found = secrets.flatMap((secret) => formsOf(secret)).filter((form) => haystack.includes(form));
    assert.deepEqual(found, []);
  });
}

async function callSigned(url: string, key: Body, call: object): Promise<void> {
  const send = signedFetch({
    version: '2',
    keyId: String(key['id']),
    signingSecret: String(key['signing_secret']),
  });
  const headers = { 'content-type': 'application/json' };
  const answer = await send(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify(call),
  });
  assert.equal(answer.status, 200, await answer.text());
}

async function dumpTables(url: string): Promise<string> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await client.query<{ text: string }>(
      `select to_jsonb(t)::text as text from "${name}" t`,
    );
    texts.push(...rows.map(({ text }) => text));
  }
  await client.end();
  return texts.join('\n');
}
