/** Test support: the whole server, as `keyfold serve` starts it, on a free loopback port and a database of its own. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { type Config, initKeyfold, startKeyfold } from '../src/main.ts';
import type { DatabaseKind } from './databases.ts';
import { addOrganization } from './second-organization.ts';

export type Body = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as a JSON object; empty when it is none. */
  readonly body: Body;
}

export interface RequestOptions {
  /** The admin key unless another is given; `null` sends none. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestKeyfold extends AsyncDisposable {
  readonly url: string;
  readonly adminKey: string;
  /** An admin key of another organization. */
  readonly strangerKey: string;
  readonly dataDir: string;
  /** `body` is sent as JSON, or as it is when it is text; `options` may be just the key. */
  request(method: string, path: string, body?: unknown, options?: RequestOptions | string): Promise<Answer>;
  /** Every byte that the database holds. */
  readStored(): Promise<string>;
  /** Changes the database behind Keyfold's back. */
  edit(sql: string): Promise<void>;
  /** Stops the process's work and removes its data. */
  stop(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
export const CONFIG = {
  listen: { host: LOOPBACK, port: 0 },
  controlListen: undefined,
  welcomeCredit: undefined,
  trustedProxies: [],
  leakPartnerKeysFile: undefined,
  webhookNetworks: [],
  auditCheckpointFile: undefined,
  auditCheckpointSyslog: undefined,
  auditCheckpointWebhook: undefined,
  auditSinkLagMs: 900_000,
  auditSinkRefuses: 'everything',
  tls: undefined,
  logLevel: 'fatal',
  allowPlaintext: false,
  bodyBytesMax: 4 * 1_048_576,
  stopTimeoutMs: 2_000,
  providerHeadersTimeoutMs: 5_000,
  providerIdleTimeoutMs: 5_000,
  callsKeptDays: undefined,
  auditArchive: undefined,
} as const satisfies Partial<Config>;

export async function startTestKeyfold(
  kind: DatabaseKind,
  overrides: Partial<Config> = {},
  /** What is in the database before the server starts. */
  prepare: (config: Config) => Promise<void> = () => Promise.resolve(),
): Promise<TestKeyfold> {
  const dataDir = mkdtempSync(join(tmpdir(), 'keyfold-server-'));
  const place = kind.name === 'postgres' ? await kind.create() : undefined;
  const adminKeyFile = join(dataDir, 'admin.key');
  const rootKeyFile = join(dataDir, 'root.key');
  const databaseUrl = place?.location;
  const config: Config = { ...CONFIG, dataDir, databaseUrl, rootKeyFile, adminKeyFile, ...overrides };
  const silence = { write: () => undefined };
  await initKeyfold(config, silence);
  const adminKey = readFileSync(adminKeyFile, 'utf8').trim();
  const strangerKey = await addOrganization(config);
  await prepare(config);
  const running = await startKeyfold(config, silence);
  const stop = async () => {
    await running.stop();
    await place?.remove();
    rmSync(dataDir, { recursive: true, force: true });
  };
  return {
    url: running.url,
    adminKey,
    strangerKey,
    dataDir,
    request: (method, path, ...[body, options = {}]) =>
      sendJson(`${running.url}${path}`, {
        method,
        body,
        options: { key: adminKey, ...(typeof options === 'string' ? { key: options } : options) },
      }),
    edit: (sql) => editDatabase({ dataDir, databaseUrl }, sql),
    readStored: () =>
      databaseUrl === undefined ? readFiles(join(dataDir, 'data')) : readTables(databaseUrl),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function editDatabase(
  of: { readonly dataDir: string; readonly databaseUrl: string | undefined },
  sql: string,
): Promise<void> {
  if (of.databaseUrl === undefined) {
    const database = new DatabaseSync(join(of.dataDir, 'data', 'keyfold.db'));
    database.exec(sql);
    database.close();
    return;
  }
  const client = new pg.Client({ connectionString: of.databaseUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** A stream of events has no end: its first piece is the answer. */
async function readAnswer(response: Response): Promise<string> {
  if (response.headers.get('content-type') !== 'text/event-stream') return response.text();
  const reader = response.body?.getReader();
  const first = await reader?.read();
  await reader?.cancel();
  return Buffer.from(first?.value ?? []).toString('utf8');
}

/** One request to a server, wherever it runs. */
export async function sendJson(
  url: string,
  of: { readonly method: string; readonly body: unknown; readonly options: RequestOptions },
): Promise<Answer> {
  const { method, body, options } = of;
  const headers = new Headers(options.headers);
  if (typeof options.key === 'string') headers.set('authorization', `Bearer ${options.key}`);
  if (body !== undefined) headers.set('content-type', 'application/json');
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url, { method, headers, ...(text === undefined ? {} : { body: text }) });
  const answer = await readAnswer(response);
  return { status: response.status, headers: response.headers, text: answer, body: readObject(answer) };
}

function readObject(text: string): Body {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Body) : {};
  } catch {
    return {};
  }
}

function readFiles(directory: string): Promise<string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Promise.resolve(
    files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1')).join('\n'),
  );
}

async function readTables(url: string): Promise<string> {
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
