/** Runs the examples of the documentation against a real server, and follows every relative link. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { providePython } from './services/python.ts';
import { type RunningKeyfold, loadConfig, startKeyfold } from '../packages/server/src/main.ts';
import { type MockProvider, startMockProvider } from '../packages/server/test/mock-provider.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', '.git', '.keyfold', '__fixtures__']);

/** What the documentation writes for what differs from reader to reader. */
const WRITTEN = { url: 'http://127.0.0.1:8080', localServer: 'http://127.0.0.1:11434/v1', key: 'kf_live_…' };

/** `<!-- test: prints PATTERN -->` before a block of code: it is run, and its output must match, across lines. */
const MARKED_BLOCK = /<!-- test: prints (.+?) -->\s*\n```(\w+)\n([\s\S]*?)```/g;

interface Example {
  readonly file: string;
  readonly line: number;
  readonly prints: RegExp;
  readonly language: string;
  readonly code: string;
}

interface Server {
  readonly running: RunningKeyfold;
  readonly adminKey: string;
  readonly key: string;
  /** What the first start printed. */
  readonly printed: string;
}

const documents = findDocuments('.');

describe('the examples of the documentation', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-docs-'));
  let server: Server;
  let provider: MockProvider;

  before(async () => {
    provider = await startMockProvider();
    server = await startServer(directory);
  });

  after(async () => {
    await server.running.stop();
    await provider.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('the call that the first start prints works as pasted', async () => {
    const [, call = ''] = server.printed.split('Create a key and make a first call:');
    const output = await run('sh', call, {});
    assert.match(output, /"content":"Hello, Keyfold"/);
  });

  for (const example of documents.flatMap((file) => findExamples(file))) {
    test(`${example.file}:${example.line}`, async () => {
      const code = example.code
        .replaceAll(WRITTEN.url, server.running.url)
        .replaceAll(WRITTEN.localServer, provider.url)
        .replaceAll(WRITTEN.key, server.key);
      const output = await run(example.language, code, {
        ADMIN: server.adminKey,
        KEY: server.key,
        KEYFOLD: server.running.url,
        KEYFOLD_URL: server.running.url,
        KEYFOLD_ADMIN_KEY: server.adminKey,
        OPENAI_API_KEY: 'sk-an-example-that-is-none',
        ANTHROPIC_API_KEY: 'sk-ant-an-example-that-is-none',
        GEMINI_API_KEY: 'an-example-that-is-none',
        DEEPSEEK_API_KEY: 'sk-an-example-that-is-none',
      });
      assert.match(output, example.prints);
      assert.doesNotMatch(output, /"error":|"status":[45]\d\d/);
    });
  }

  test('the README has examples in the shell and in TypeScript', () => {
    const languages = new Set(findExamples('README.md').map(({ language }) => language));
    assert.deepEqual([...languages].sort(), ['sh', 'ts']);
  });
});

describe('the links of the documentation', () => {
  for (const file of documents) {
    test(file, () => {
      const broken = findLinks(file).filter((link) => !leadsSomewhere(file, link));
      assert.deepEqual(broken, []);
    });
  }
});

async function startServer(directory: string): Promise<Server> {
  const flags = { listen: '127.0.0.1:0', data_dir: directory, log_level: 'fatal' };
  let printed = '';
  const running = await startKeyfold(loadConfig({ flags, env: {}, cwd: directory }), {
    write: (text) => {
      printed += text;
    },
  });
  const adminKey = /kf_admin_\w+/.exec(printed)?.[0];
  assert.ok(adminKey !== undefined, 'the first start prints the admin key');
  const response = await fetch(`${running.url}/v1/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'documentation', permissions: ['chat', 'completions', 'embeddings'] }),
  });
  const { api_key: key } = (await response.json()) as { api_key: string };
  return { running, adminKey, key, printed };
}

/** What the example prints; it must end with success. */
function run(language: string, code: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const [program, ...args] = commandFor(language);
  const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...environment } });
  let output = '';
  let complaints = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString('utf8');
  });
  child.stdin.end(code);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve(output);
      else reject(new Error(`the example ended with ${status}: ${complaints}${output}`));
    });
  });
}

function commandFor(language: string): readonly [string, ...string[]] {
  if (language === 'ts') return [process.execPath, '--input-type=module-typescript', '-'];
  return language === 'python' ? [providePython(), '-'] : ['bash', '-euo', 'pipefail', '-s'];
}

function findExamples(file: string): Example[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(MARKED_BLOCK)].map((match) => {
    const [, prints = '', language = '', code = ''] = match;
    const line = text.slice(0, match.index).split('\n').length;
    return { file, line, prints: new RegExp(prints, 's'), language, code };
  });
}

function findDocuments(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : findDocuments(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Targets of links and images that are not on the web; code does not link. */
function findLinks(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .replaceAll(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(file: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(ROOT, file) : join(ROOT, dirname(file), path);
  if (relative(ROOT, target).startsWith('..') || !existsSync(target)) return false;
  if (anchor === undefined) return true;
  return statSync(target).isFile() && anchorsOf(readFileSync(target, 'utf8')).has(anchor);
}

/** Anchors as code hosts make them: lower case, without punctuation, spaces as hyphens. */
function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, title = '']) =>
      title
        .trim()
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-'),
    ),
  );
}
