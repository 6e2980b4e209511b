/**
 * Shows that the article's Python works against Keyfold, unchanged but for `base_url`: takes its classes
 * `HolySheepKeyManager` and `HolySheepSignedRequest` out of the text beside the repository, and drives them through a
 * key's life, a call, and a signed call whose bytes are sent twice.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DATABASE_KINDS } from '../packages/server/test/databases.ts';
import { startTestKeyfold } from '../packages/server/test/keyfold.ts';
import { startMockProvider } from '../packages/server/test/mock-provider.ts';
import { providePython } from '../test/services/python.ts';

const SEED = fileURLToPath(new URL('../../shared/seed/', import.meta.url));
const MODEL = 'gpt-4.1';
const TIMEOUT_MS = 60_000;

/** What the article leaves to its reader: it is given the class, a place and an admin key, and asserts what it promises. */
const DRIVER = `
import sys

base_url = sys.argv[1]
manager = HolySheepKeyManager(master_key=os.environ["HOLYSHEEP_MASTER_KEY"], base_url=base_url)

chat_key = manager.generate_rotatable_key(permissions=["chat", "completions"], rate_limit=100)
assert manager.validate_key(chat_key), "the new key is not valid"
assert not manager.validate_key(chat_key + "x"), "a wrong key is valid"


def chat(key):
    answer = requests.post(
        f"{base_url}/chat/completions",
        headers={"Authorization": f"Bearer {key}"},
        json={"model": "${MODEL}", "messages": [{"role": "user", "content": "Hello, world!"}], "max_tokens": 100},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


before = chat(chat_key)
validated = requests.get(f"{base_url}/keys/validate", headers={"Authorization": f"Bearer {chat_key}"})
new_key = manager.rotate_key(validated.json()["key_id"])
assert new_key != chat_key, "rotation gave the same key"
assert manager.validate_key(new_key), "the rotated key is not valid"
assert manager.validate_key(chat_key), "the old key died before its grace was over"
assert chat(new_key) == chat(chat_key) == before
print("created, validated, rotated, and called ${MODEL} with both keys")
`;

/** The signed half: the key signs as the article does, which is version 1, and needs to have opted in. */
const SIGNED_DRIVER = `
signed = requests.post(
    f"{base_url}/keys",
    headers={"Authorization": f"Bearer {os.environ['HOLYSHEEP_MASTER_KEY']}"},
    json={"permissions": ["chat"], "signing": {"required": True, "versions": ["1"]}},
).json()
signer = HolySheepSignedRequest(api_key=signed["api_key"], secret_key=signed["signing_secret"], base_url=base_url)

sent = []
post = requests.post


def remember(url, **options):
    answer = post(url, **options)
    sent.append(answer.request)
    return answer


requests.post = remember
body = {"model": "${MODEL}", "messages": [{"role": "user", "content": "Hello, world!"}], "max_tokens": 100}
answer = signer.make_request(endpoint="/chat/completions", body=body)
assert answer.status_code == 200, answer.text
requests.post = post

again = requests.Session().send(sent[0])
assert again.status_code == 401, again.text
assert again.json()["error"]["code"] == "invalid_signature", again.text
unsigned = post(
    f"{base_url}/chat/completions", headers={"Authorization": f"Bearer {signed['api_key']}"}, json=body
)
assert unsigned.status_code == 401, unsigned.text
validated = signer.make_request(endpoint="/keys/validate", method="GET")
assert validated.status_code == 200 and validated.json()["valid"], validated.text
print("signed a call to ${MODEL}; the same bytes again, and the key without a signature, were refused")
`;

const file = existsSync(SEED) ? readdirSync(SEED).find((name) => name.endsWith('.txt')) : undefined;
if (file === undefined) {
  process.stderr.write(`The article is not there: expected a .txt file in ${SEED}\n`);
  process.exit(2);
}
const article = readFileSync(join(SEED, file), 'utf8');
const program = [
  extractClass(article, { name: 'HolySheepKeyManager', firstImport: 'import os' }),
  extractClass(article, { name: 'HolySheepSignedRequest', firstImport: 'import hmac' }),
  DRIVER,
  SIGNED_DRIVER,
].join('\n');

const sqlite = DATABASE_KINDS.find(({ name }) => name === 'sqlite');
if (sqlite === undefined) throw new Error('there is no SQLite to run on');
const provider = await startMockProvider();
const keyfold = await startTestKeyfold(sqlite);
const directory = mkdtempSync(join(tmpdir(), 'keyfold-article-'));
try {
  const credential = await keyfold.request('POST', '/v1/credentials', {
    provider: 'openai',
    name: 'stand-in',
    secret: 'sk-stand-in',
    base_url: provider.url,
    allow_networks: ['127.0.0.0/8'],
  });
  if (credential.status !== 201) throw new Error(`no credential: ${credential.text}`);
  const script = join(directory, 'article.py');
  writeFileSync(script, program);
  const said = await new Promise<string>((resolve, reject) => {
    const env = { PATH: process.env['PATH'], HOLYSHEEP_MASTER_KEY: keyfold.adminKey };
    const options = { env, timeout: TIMEOUT_MS };
    execFile(providePython(), [script, `${keyfold.url}/v1`], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`the article's program failed: ${stderr}`));
    });
  });
  if (provider.calls.length !== 4) throw new Error(`the provider saw ${provider.calls.length} calls, not 4`);
  process.stdout.write(`The article's program against Keyfold:\n${said}`);
} finally {
  await keyfold.stop();
  await provider.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** A class with the imports before it, as it stands in the text. */
function extractClass(article: string, of: { readonly name: string; readonly firstImport: string }): string {
  const lines = article.split(/\r?\n/);
  const classLine = lines.indexOf(`class ${of.name}:`);
  const start = lines.lastIndexOf(of.firstImport, classLine);
  // The class ends before the first line that is neither blank nor indented.
  const end = lines.findIndex((line, index) => index > classLine && /^\S/.test(line));
  if (classLine === -1 || start === -1 || end === -1)
    throw new Error(`the article has no class ${of.name} with its imports`);
  return lines.slice(start, end).join('\n');
}
