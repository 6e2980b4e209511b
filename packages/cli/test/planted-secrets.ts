/** Makes secrets of every form that the scan knows, what only looks like them, and files with both, all from one seed. */
import { type SecretKind, SECRET_BYTES, formatSecret } from '@keyfold/protocol';

export interface Planted {
  readonly path: string;
  readonly rule: string;
  readonly secret: string;
  readonly line: number;
  readonly column: number;
}

export interface PlantedFile {
  readonly path: string;
  readonly content: string;
  readonly planted: readonly Planted[];
}

export interface Secret {
  readonly rule: string;
  readonly secret: string;
}

/** Numbers from 0 up to, without, the bound. */
export type Draw = (bound: number) => number;

const DIGITS = '0123456789';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const HEX = '0123456789abcdef';
const BASE62 = DIGITS + UPPER + LOWER;
const BASE64 = `${BASE62}+/`;
const BASE64_URL = `${BASE62}-_`;
const BASE32 = `${UPPER}234567`;
const PIECE_BYTES = 65_536;
const WORDS =
  'the quick task-runner of a disk-cache risk-free sk-learn hf_hub kf_ AIza pplx- xai-based gsk_ r8_ AKIA mask- is = { } ( ) ; // return const if value 42 0x1f "text" und für été 数据'.split(
    ' ',
  );

/** Mulberry32: small, and the same everywhere. */
export function createDraw(seed: number): Draw {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

export function drawText(draw: Draw, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet.charAt(draw(alphabet.length))).join('');
}

const keyfold = (kind: SecretKind) => (draw: Draw) =>
  formatSecret(
    kind,
    Uint8Array.from({ length: SECRET_BYTES }, () => draw(256)),
  );

const openAi = (kind: string, half: number, alphabet: string) => (draw: Draw) =>
  `sk-${kind}${drawText(draw, alphabet, half)}T3BlbkFJ${drawText(draw, alphabet, half)}`;

const after = (prefix: string, alphabet: string, length: number) => (draw: Draw) =>
  prefix + drawText(draw, alphabet, length);

/** One maker for each form, with the rule that is to find it. */
export const FORMS: readonly (readonly [rule: string, make: (draw: Draw) => string])[] = [
  ['keyfold-live-key', keyfold('live')],
  ['keyfold-test-key', keyfold('test')],
  ['keyfold-admin-key', keyfold('admin')],
  ['keyfold-signing-secret', keyfold('sig')],
  ['openai-api-key', openAi('', 20, BASE62)],
  ['openai-api-key', openAi('proj-', 74, BASE64_URL)],
  ['openai-api-key', openAi('proj-', 58, BASE64_URL)],
  ['openai-api-key', openAi('proj-', 20, BASE62)],
  ['openai-api-key', openAi('svcacct-', 74, BASE64_URL)],
  ['openai-admin-key', openAi('admin-', 58, BASE64_URL)],
  ['anthropic-api-key', (draw) => `sk-ant-api03-${drawText(draw, BASE64_URL, 93)}AA`],
  ['anthropic-admin-key', (draw) => `sk-ant-admin01-${drawText(draw, BASE64_URL, 93)}AA`],
  ['anthropic-oauth-token', after('sk-ant-oat01-', BASE64_URL, 95)],
  ['google-api-key', after('AIza', BASE64_URL, 35)],
  ['google-auth-key', after('AQ.Ab8RN6', BASE64_URL, 44)],
  ['deepseek-api-key', after('sk-', HEX, 32)],
  ['xai-api-key', after('xai-', BASE62, 80)],
  ['groq-api-key', after('gsk_', BASE62, 52)],
  ['huggingface-token', after('hf_', LOWER + UPPER, 34)],
  ['openrouter-api-key', after('sk-or-v1-', HEX, 64)],
  ['perplexity-api-key', after('pplx-', BASE62, 48)],
  ['perplexity-api-key', after('pplx-', HEX, 48)],
  ['replicate-api-token', after('r8_', BASE62, 37)],
  ['aws-access-key-id', after('AKIA', BASE32, 16)],
  ['aws-bedrock-api-key', (draw) => `${after('ABSKQmVkcm9ja0FQSUtleS', BASE64, 110)(draw)}=`],
];

export function drawSecrets(draw: Draw, count: number): Secret[] {
  return Array.from({ length: count }, (_, index) => {
    const [rule, make] = FORMS[index % FORMS.length] ?? ['', () => ''];
    return { rule, secret: make(draw) };
  });
}

/** What nobody holds: made from secrets by one small change each, or of other things that look like them. */
export function drawNearMisses(draw: Draw, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const [rule = '', make = () => ''] = FORMS[draw(FORMS.length)] ?? [];
    const miss = NEAR_MISSES[index % NEAR_MISSES.length];
    return miss?.(make(draw), { draw, rule }) ?? '';
  });
}

type NearMiss = (secret: string, by: { readonly draw: Draw; readonly rule: string }) => string;

const NEAR_MISSES: readonly NearMiss[] = [
  // A wrong checksum.
  (_secret, { draw }) => changeLast(keyfold('live')(draw)),
  (_secret, { draw }) => changeLast(keyfold('admin')(draw)),
  // One character more or less. Bedrock's have no fixed length.
  (secret, { rule }) =>
    rule === 'aws-bedrock-api-key' ? secret.replace('tleS', 'tles') : secret.slice(0, -1),
  (secret, { rule }) => (rule === 'aws-bedrock-api-key' ? secret.replace('ABSK', 'ABSk') : `${secret}a`),
  (_secret, { draw }) => keyfold('live')(draw).slice(0, -1),
  (_secret, { draw }) => `${keyfold('test')(draw)}0`,
  (_secret, { draw }) => `kf_live_${drawText(draw, BASE62, 48)}`,
  (_secret, { draw }) => `kf_sig_${drawText(draw, BASE62, 50)}`,
  // Parts of longer names.
  (_secret, { draw }) => `task-sk-${drawText(draw, HEX, 32)}`,
  (_secret, { draw }) => `disk-${drawText(draw, HEX, 32)}`,
  (_secret, { draw }) => `sk-${drawText(draw, HEX, 32)}-runner`,
  (_secret, { draw }) => `my_AKIA${drawText(draw, BASE32, 16)}`,
  (_secret, { draw }) => `rhf_${drawText(draw, LOWER + UPPER, 34)}`,
  // Placeholders.
  () => `sk-ant-api03-${'x'.repeat(93)}AA`,
  (secret) => secret.slice(0, 9) + 'X'.repeat(secret.length - 9),
  () => `sk-${'0123456789abcdef'.repeat(2)}`,
  () => `sk-or-v1-${'deadbeef'.repeat(8)}`,
  () => 'gsk_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOp',
  () => `hf_abcdefghijklmnopqrstuvwxyzABCDEFGH`,
  () => `AKIAIOSFODNN7EXAMPLE`,
  () => `AIzaSy-your-api-key-goes-here-123456789`,
  // Names in programs.
  () => `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`,
  () => `sk-learn-ensemble-gradient-boosting-regressor`,
  // Other random things.
  (_secret, { draw }) => `${drawText(draw, HEX, 8)}-${drawText(draw, HEX, 4)}-4${drawText(draw, HEX, 3)}`,
  (_secret, { draw }) => `sha256:${drawText(draw, HEX, 64)}`,
  (_secret, { draw }) => `${drawText(draw, BASE64, 400)}AIza${drawText(draw, BASE62, 200)}==`,
  (_secret, { draw }) =>
    `eyJ${drawText(draw, BASE64_URL, 40)}.eyJ${drawText(draw, BASE64_URL, 80)}.${drawText(draw, BASE64_URL, 43)}`,
  (_secret, { draw }) => `sk-${drawText(draw, BASE62, 48)}`,
  (_secret, { draw }) => `sk-${drawText(draw, HEX.toUpperCase(), 32)}`,
  (_secret, { draw }) => `AKIA${drawText(draw, BASE32, 15)}0`,
];

function changeLast(secret: string): string {
  const last = secret.slice(-1);
  return secret.slice(0, -1) + (last === 'a' ? 'b' : 'a');
}

/** The secrets in files of every kind, each where the scan is to find it. */
export function plantSecrets(draw: Draw, secrets: readonly Secret[]): PlantedFile[] {
  const files = KINDS.map(({ path, start }) => new Writer(path, start));
  for (const [index, secret] of secrets.entries()) {
    const at = draw(KINDS.length);
    const [kind, file] = [KINDS[at], files[at]];
    if (kind === undefined || file === undefined) continue;
    kind.write(file, { secret, index, draw });
  }
  return files.map((file) => file.close());
}

class Writer {
  readonly path: string;
  readonly #parts: string[] = [];
  readonly #planted: Planted[] = [];
  #line = 1;
  #column: number;
  bytes = 0;

  constructor(path: string, start = '') {
    this.path = path;
    // What marks the encoding is no part of the text.
    this.#column = start.startsWith('\u{feff}') ? 0 : 1;
    this.text(start);
  }

  text(text: string): this {
    this.#parts.push(text);
    this.bytes += Buffer.byteLength(text);
    const lines = text.split('\n');
    this.#line += lines.length - 1;
    this.#column = (lines.length > 1 ? 1 : this.#column) + (lines.at(-1)?.length ?? 0);
    return this;
  }

  secret({ rule, secret }: Secret): this {
    this.#planted.push({ path: this.path, rule, secret, line: this.#line, column: this.#column });
    return this.text(secret);
  }

  close(): PlantedFile {
    return { path: this.path, content: this.#parts.join(''), planted: this.#planted };
  }
}

interface Kind {
  readonly path: string;
  readonly start?: string;
  readonly write: (
    file: Writer,
    with_: { readonly secret: Secret; readonly index: number; readonly draw: Draw },
  ) => void;
}

const KINDS: readonly Kind[] = [
  {
    path: 'src/client.ts',
    write: (file, { secret, index, draw }) =>
      file
        .text(`${prose(draw, 3)}\nconst key${index} = '`)
        .secret(secret)
        .text("';\n"),
  },
  {
    path: 'src/app.py',
    write: (file, { secret }) => file.text('client = Client(api_key="').secret(secret).text('")\n'),
  },
  {
    path: 'conf/app.json',
    start: '{\n',
    write: (file, { secret, index }) => file.text(`  "key_${index}": "`).secret(secret).text('",\n'),
  },
  {
    path: 'conf/app.yaml',
    write: (file, { secret, index }) => file.text(`service${index}:\n  api_key: `).secret(secret).text('\n'),
  },
  { path: '.env', write: (file, { secret, index }) => file.text(`KEY_${index}=`).secret(secret).text('\n') },
  {
    path: 'win/settings.ini',
    write: (file, { secret }) => file.text('[keys]\r\nkey=').secret(secret).text('\r\n'),
  },
  // One line, longer than what is read at a time.
  {
    path: 'dist/app.min.js',
    write: (file, { secret, index, draw }) =>
      file
        .text(`var v${index}="`)
        .secret(secret)
        .text(`",t="${prose(draw, 800)}";`),
  },
  {
    path: 'text/näïve.md',
    start: '\u{feff}',
    write: (file, { secret }) => file.text('名前 = "🔑🔑 naïve ключ": `').secret(secret).text('` — 終\n'),
  },
  // In a string in a string: what comes before it ends in a letter.
  {
    path: 'notes/book.ipynb',
    write: (file, { secret }) => file.text('"a line\\n').secret(secret).text('\\tand %3D').text('"\n'),
  },
  {
    path: 'logs/access.log',
    write: (file, { secret }) =>
      file.text('GET /v1?key=').secret(secret).text('&alt=sse 200 "Authorization: Bearer"\n'),
  },
  { path: 'logs/form.txt', write: (file, { secret }) => file.text('q=%22').secret(secret).text('%22\n') },
  {
    path: 'logs/colour.log',
    write: (file, { secret }) => file.text('\u{1b}[1;31m').secret(secret).text('\u{1b}[0m\n'),
  },
  {
    path: 'run.sh',
    write: (file, { secret }) =>
      file.text('curl -H "x-api-key:').secret(secret).text('" <<< x; export K=$K\n'),
  },
  { path: 'page.xml', write: (file, { secret }) => file.text('<key>').secret(secret).text('</key>\n') },
  // Across the border of what is read at a time.
  {
    path: 'edges/big.txt',
    write: (file, { secret, draw }) => {
      const border = Math.ceil((file.bytes + 1) / PIECE_BYTES) * PIECE_BYTES;
      const room = border - draw(secret.secret.length + 2) - file.bytes;
      const filler = room > 0 ? `${'word and line\n'.repeat(room / 14 + 1).slice(0, room - 1)} ` : '\n';
      file.text(filler).secret(secret).text('\n');
    },
  },
];

/** Words of which many begin as secrets do. */
export function prose(draw: Draw, words: number): string {
  return Array.from({ length: words }, () => WORDS[draw(WORDS.length)] ?? '').join(' ');
}
