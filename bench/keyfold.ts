/** Starts Keyfold with every control on, and gives it what a call needs: credentials, prices, a key, limits, budgets. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createScopes } from './budget-scopes.ts';
import { installBuilt, installUnaudited } from './built.ts';
import { type ControlApi, PLENTY, createControlApi, readText } from './control-api.ts';
import { COST_NANOS_PER_CALL, renderKilobyteRequest } from './payload.ts';
import type { Rig } from './peers.ts';
import { BENCH_DIR, PINNED_NODE, REPOSITORY_DIR } from './places.ts';
import { findFreePort, waitUntilReady } from './processes.ts';
import { describeSignedCall } from './signatures.ts';
import { describeChatCall, describeStreamCall, type Target } from './target.ts';

const CAP_USD = '1000000';

export interface KeyfoldTarget extends Target {
  /** Calls that the key's budget of the day has been charged for, from the ledger. */
  readonly countChargedCalls: () => Promise<number>;
  /** Removes the data of the run; call it once the process has ended. */
  readonly removeData: () => void;
}

export interface KeyfoldVariant {
  /** The process writes a `.cpuprofile` for each of its threads there when it ends. */
  readonly profileDir?: string;
  /** Without the audit log. */
  readonly isUnaudited?: boolean;
}

export async function startKeyfold(
  rig: Rig,
  { profileDir, isUnaudited = false }: KeyfoldVariant = {},
): Promise<KeyfoldTarget> {
  const name = isUnaudited ? 'unaudited' : 'keyfold';
  const dataDir = mkdtempSync(join(BENCH_DIR, '.data-'));
  const adminKeyFile = join(dataDir, 'admin.key');
  const port = await findFreePort();
  const server = rig.group.start(name, {
    core: rig.cores.server,
    command: PINNED_NODE,
    args: [
      ...(profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : []),
      '--max-semi-space-size=16',
      isUnaudited ? installUnaudited() : installBuilt(),
      'serve',
    ],
    cwd: REPOSITORY_DIR,
    env: {
      ...withoutKeyfoldSettings(process.env),
      KEYFOLD_LISTEN: `127.0.0.1:${port}`,
      KEYFOLD_DATA_DIR: dataDir,
      KEYFOLD_ADMIN_KEY_FILE: adminKeyFile,
    },
  });
  const origin = `http://127.0.0.1:${port}`;
  try {
    await waitUntilReady(server, `${origin}/readyz`);
    const api = createControlApi(origin, readFileSync(adminKeyFile, 'utf8').trim());
    const { apiKey, keyId, signingSecret } = await provision(api, rig);
    const headers = { authorization: `Bearer ${apiKey}` };
    const url = `${origin}/v1/chat/completions`;
    const kilobyte = renderKilobyteRequest('bench-model');
    return {
      name,
      chat: describeChatCall(url, 'bench-model', headers),
      stream: describeStreamCall(url, 'bench-stream', headers),
      relay: describeStreamCall(url, 'bench-relay', headers),
      signing: {
        bearer: { url, headers: { 'content-type': 'application/json', ...headers }, body: kilobyte },
        signed: describeSignedCall(
          { url, headers: { 'content-type': 'application/json' }, body: kilobyte },
          { keyId, secret: signingSecret, directory: dataDir },
        ),
      },
      scopes: await createScopes(api, url),
      pid: server.pid,
      countChargedCalls: () => countChargedCalls(origin, apiKey),
      removeData: () => rmSync(dataDir, { recursive: true, force: true }),
    };
  } catch (error) {
    await rig.group.stop(name);
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}

async function provision(
  api: ControlApi,
  ports: { readonly mockPort: number; readonly relayPort: number },
): Promise<{ apiKey: string; keyId: string; signingSecret: string }> {
  for (const [model, base] of [
    ['bench-model', `${ports.mockPort}/v1`],
    ['bench-stream', `${ports.mockPort}/stream/v1`],
    ['bench-relay', `${ports.relayPort}/relay/v1`],
  ] as const) {
    await api('POST', '/v1/credentials', {
      provider: 'openai-compatible',
      name: `mock for ${model}`,
      secret: 'sk-mock',
      base_url: `http://127.0.0.1:${base}`,
      allow_networks: ['127.0.0.0/8'],
      models: [model],
    });
    await api('PUT', `/v1/catalog/models/openai-compatible/${model}`, {
      input_usd_per_million: '1',
      output_usd_per_million: '2',
      context_tokens: 128_000,
      output_tokens_max: 4096,
    });
  }
  for (const scope of ['project', 'organization']) {
    for (const period of ['day', 'month'])
      await api('PUT', '/v1/budgets', { scope, period, cap_usd: CAP_USD });
  }
  const key = await api('POST', '/v1/keys', {
    name: 'bench',
    permissions: ['chat'],
    signing: { required: false },
    limits: { requests_per_minute: PLENTY, tokens_per_minute: PLENTY, concurrent_requests: 100_000 },
    budgets: { per_day_usd: CAP_USD, per_month_usd: CAP_USD },
  });
  return {
    apiKey: readText(key, 'api_key'),
    keyId: readText(key, 'id'),
    signingSecret: readText(key, 'signing_secret'),
  };
}

async function countChargedCalls(origin: string, apiKey: string): Promise<number> {
  const response = await fetch(`${origin}/v1/keys/validate`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
  const { budgets } = (await response.json()) as {
    budgets?: { period?: string; scope?: string; posted_usd?: string }[];
  };
  const day = budgets?.find((budget) => budget.period === 'day' && budget.scope === 'key');
  if (day?.posted_usd === undefined)
    throw new Error('/v1/keys/validate tells no budget of the day for the key');
  return (Number(day.posted_usd) * 1e9) / COST_NANOS_PER_CALL;
}

/** Whoever runs the benchmark may have settings of a real gateway in the environment; none of them may leak in. */
function withoutKeyfoldSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KEYFOLD_')));
}
