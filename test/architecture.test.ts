/** Reads every import and holds the house together: rooms, floors, packages, doors to the outside, and the form of files. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../packages', import.meta.url));

/** A room may import from itself and from every floor below its own. */
const FLOORS: Readonly<Record<string, number>> = {
  kernel: 0,
  storage: 0,
  sealing: 0,
  telemetry: 0,
  config: 0,
  providers: 1,
  dialects: 1,
  upstream: 1,
  tenants: 2,
  alerts: 2,
  keys: 2,
  signing: 2,
  access: 2,
  limits: 2,
  ledger: 2,
  pricing: 2,
  credentials: 2,
  audit: 2,
  idempotency: 2,
  routing: 2,
  gateway: 3,
  control: 3,
  jobs: 3,
  http: 4,
};

/** The arrows between rooms of one floor, each with its reason. A new one is a decision: give it a reason here, too. */
const SIDEWAYS: Readonly<Record<string, string>> = {
  'storage → kernel': 'faults are what storage throws',
  'telemetry → kernel': 'logs end in the one redactor, and say what a denial or a fault was',
  'sealing → kernel': 'randomness is injected; a seal that does not open is a fault',
  'sealing → storage': 'a fresh database remembers which root key it was made with',
  'dialects → providers': 'usage is read in one way, and a call names its endpoint',
  'upstream → providers': 'the request that a provider has built is what is sent (type only)',
  'access → keys': 'authorization judges a key by its rules',
  'signing → keys': 'the door finds the key that a signature names, and judges the signature by its policy',
  'credentials → limits': 'a credential has limits of its own (type only)',
  'alerts → access': 'an address is read as access reads it',
  'alerts → audit': 'rules judge records as they are read back',
  'alerts → keys': 'a rule stops a key or slows it down (type only)',
  'ledger → audit': 'a reservation and its audit record are one unit of work (types only)',
  'ledger → keys': "how much a call holds is its key's policy (types only)",
  'ledger → pricing': 'a resolution carries the usage that its cost was computed from',
  'idempotency → ledger':
    'what goes with a reservation, and with its resolution, in their commits (types only)',
  'routing → credentials': 'a target names the credential that serves it (type only)',
  'routing → pricing': 'a target names its price, and the catalog knows the models',
};

/** The composition root: what knows every room. Nothing imports these. */
const ROOT_FILES = ['main.ts', 'house.ts', 'first-start.ts', 'timed-work.ts', 'audit-thread.ts'];

/** Modules that open a door to the outside, and the one room that may hold it. Types alone open nothing. */
const DOORS: readonly { readonly modules: RegExp; readonly room: string; readonly typesToo: boolean }[] = [
  { modules: /^node:(?:http|https|http2)$/, room: 'http', typesToo: false },
  { modules: /^(?:node:(?:dns|tls)|undici)$/, room: 'upstream', typesToo: true },
  { modules: /^(?:node:sqlite|pg)$/, room: 'storage', typesToo: true },
  { modules: /^gpt-tokenizer(?:\/.*)?$/, room: 'gateway', typesToo: true },
  { modules: /^(?:hono|@hono\/.*|zod)$/, room: 'control', typesToo: true },
  { modules: /^(?:pino|prom-client)$/, room: 'telemetry', typesToo: true },
];

/** A provider that talks to a vendor, and one that answers by itself. Each file here has a test beside it. */
const WIRE_FILES = ['build-request.ts', 'map-usage.ts', 'classify-failure.ts', 'usage-tap.ts'];
const LOCAL_FILES = ['answer.ts'];

const NAMES_THAT_SAY_NOTHING =
  /(?:^|[/-])(?:utils?|helpers?|common|managers?|services?|misc|shared)(?:[/.-]|$)/;
const LINES_WORTH_A_LOOK = 200;
const LINES_MAX = 300;

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

interface SourceFile {
  readonly package: string;
  /** Within the package's `src`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const packages = readdirSync(PACKAGES);
const everyFile = packages.flatMap((name) => readSources(name));
const files = everyFile.filter(({ path }) => !isForTests(path));
const serverFiles = files.filter((file) => file.package === 'server');

describe('the rooms of the server', () => {
  test('every folder is a room with a floor', () => {
    const folders = new Set(
      serverFiles.filter(({ path }) => path.includes('/')).map(({ path }) => roomOf(path)),
    );
    assert.deepEqual([...folders].sort(), Object.keys(FLOORS).sort());
  });

  test('a file imports from its own room or from a floor below', () => {
    const wrong = serverArrows().filter(({ from, to }) => {
      if (from === to || ROOT_FILES.includes(from) || `${from} → ${to}` in SIDEWAYS) return false;
      const [own, other] = [FLOORS[from], FLOORS[to]];
      return own === undefined || other === undefined || other >= own;
    });
    assert.deepEqual(wrong.map(describeArrow), []);
  });

  test('every arrow between rooms of one floor that is allowed is in use', () => {
    const used = new Set(serverArrows().map(({ from, to }) => `${from} → ${to}`));
    assert.deepEqual(
      Object.keys(SIDEWAYS).filter((arrow) => !used.has(arrow)),
      [],
    );
  });

  test('an arrow that is said to be of types alone is', () => {
    const typed = Object.keys(SIDEWAYS).filter((arrow) => /\(types? only\)$/.test(SIDEWAYS[arrow] ?? ''));
    const wrong = serverArrows().filter(
      ({ from, to, typeOnly }) => typed.includes(`${from} → ${to}`) && !typeOnly,
    );
    assert.deepEqual(wrong.map(describeArrow), []);
  });

  test('nothing imports the composition root', () => {
    const wrong = serverArrows().filter(
      ({ from, to }) => ROOT_FILES.includes(to) && !ROOT_FILES.includes(from),
    );
    assert.deepEqual(wrong.map(describeArrow), []);
  });
});

describe('the packages', () => {
  test('protocol imports nothing but itself', () => {
    const wrong = files
      .filter((file) => file.package === 'protocol')
      .flatMap((file) =>
        file.imports
          .filter(({ specifier }) => !specifier.startsWith('.') || leavesPackage(file, specifier))
          .map(named(file)),
      );
    assert.deepEqual(wrong, []);
  });

  test('the server imports protocol and no other package of ours', () => {
    const wrong = serverFiles.flatMap((file) =>
      file.imports.filter(({ specifier }) => leavesPackage(file, specifier)).map(named(file)),
    );
    assert.deepEqual(wrong, []);
  });

  test('the command line takes of the server its configuration, and loads the rest only to serve or to init', () => {
    const reaching = files
      .filter((file) => file.package === 'cli')
      .flatMap((file) =>
        file.imports.filter(({ specifier }) => leavesPackage(file, specifier)).map(named(file)),
      );
    const allowed = [
      /^cli\/main\.ts imports '@keyfold\/server' at run time$/,
      /^cli\/server-config\.ts imports '@keyfold\/server\/config'$/,
    ];
    assert.deepEqual(
      reaching.filter((line) => !allowed.some((pattern) => pattern.test(line))),
      [],
    );
    const loading = files.filter((file) => file.package === 'cli' && /\bloadServer\(\)/.test(file.text));
    assert.deepEqual(
      loading
        .map(({ path }) => path)
        .filter((path) => path !== 'context.ts' && path !== 'main.ts')
        .sort(),
      ['commands/init.ts', 'commands/serve.ts'],
    );
  });

  for (const name of packages) {
    test(`${name} declares exactly the packages that it imports`, () => {
      const manifest = JSON.parse(readFileSync(join(PACKAGES, name, 'package.json'), 'utf8')) as {
        dependencies?: Record<string, string>;
      };
      const imported = files
        .filter((file) => file.package === name)
        .flatMap((file) => file.imports.map(({ specifier }) => packageOf(specifier)))
        .filter((each) => each !== undefined);
      const declared = Object.keys(manifest.dependencies ?? {}).sort();
      assert.deepEqual(declared, [...new Set(imported)].sort());
    });
  }
});

describe('doors to the outside', () => {
  test('each is held by one room', () => {
    const wrong = serverFiles.flatMap((file) =>
      file.imports
        .filter(({ specifier, typeOnly }) =>
          DOORS.some(
            (door) =>
              door.modules.test(specifier) && (door.typesToo || !typeOnly) && roomOf(file.path) !== door.room,
          ),
        )
        .map(named(file)),
    );
    assert.deepEqual(wrong, []);
  });

  test('the server dials through upstream/ alone: no global fetch, no bare sockets', () => {
    const wrong = serverFiles.filter(
      ({ path, text }) =>
        roomOf(path) !== 'upstream' &&
        /(?<![\w.#])fetch\(|\bnew WebSocket\(|\bimport \{[^}]*\b(?:connect|Socket|createConnection)\b[^}]*\} from 'node:net'/.test(
          text,
        ),
    );
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
  });

  test("the process's environment is read by the command line's entry point alone", () => {
    const reading = files.filter(({ text }) => /\bprocess\.env\b/.test(text));
    assert.deepEqual(
      reading.map((file) => `${file.package}/${file.path}`),
      ['cli/main.ts'],
    );
  });

  test('nothing that ships imports what is only for tests', () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .filter(
          ({ specifier }) => specifier.startsWith('.') && isForTests(specifier.replace(/^.*\/src\//, '')),
        )
        .concat(file.imports.filter(({ specifier }) => /^node:test|^fast-check$/.test(specifier)))
        .map(named(file)),
    );
    assert.deepEqual(wrong, []);
  });
});

describe('the form of files', () => {
  test('each begins with a sentence that says what it is responsible for', () => {
    const wrong = everyFile
      .filter(({ path }) => !path.endsWith('.test.ts'))
      .filter(({ text }) => !/^(?:#!.*\n)?\/\*\*\s(?:[^*]|\*(?!\/))*[.:](?:[^*]|\*(?!\/))*\*\//.test(text));
    assert.deepEqual(
      wrong.map((file) => `${file.package}/${file.path}`),
      [],
    );
  });

  test(`none has more than ${LINES_MAX} lines`, (context) => {
    const lengths = files.map((file) => ({
      name: `${file.package}/${file.path}`,
      lines: file.text.split('\n').length - 1,
    }));
    const long = lengths.filter(({ lines }) => lines > LINES_WORTH_A_LOOK && lines <= LINES_MAX);
    if (long.length > 0) {
      context.diagnostic(`worth a look: ${long.map(({ name, lines }) => `${name} (${lines})`).join(', ')}`);
    }
    assert.deepEqual(
      lengths.filter(({ lines }) => lines > LINES_MAX),
      [],
    );
  });

  test('no name says nothing', () => {
    assert.deepEqual(
      everyFile.filter(({ path }) => NAMES_THAT_SAY_NOTHING.test(path)).map(({ path }) => path),
      [],
    );
  });

  test('each provider has the files of its kind, with a test beside each', () => {
    const folders = new Map<string, string[]>();
    for (const { path, package: owner } of everyFile) {
      const [room, folder, file] = path.split('/');
      if (owner !== 'server' || room !== 'providers' || folder === undefined || file === undefined) continue;
      folders.set(folder, [...(folders.get(folder) ?? []), file]);
    }
    assert.ok(folders.size > 0);
    for (const [folder, names] of folders) {
      const kind = names.includes('answer.ts') ? LOCAL_FILES : WIRE_FILES;
      const wanted = ['provider.ts', ...kind, ...kind.map((name) => name.replace(/\.ts$/, '.test.ts'))];
      assert.deepEqual(
        wanted.filter((name) => !names.includes(name)),
        [],
        `providers/${folder}`,
      );
    }
  });
});

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly path: string;
  readonly typeOnly: boolean;
}

/** The imports between files of the server, as arrows from room to room. */
function serverArrows(): Arrow[] {
  return serverFiles.flatMap((file) =>
    file.imports
      .filter(({ specifier }) => specifier.startsWith('.') && !leavesPackage(file, specifier))
      .map(({ specifier, typeOnly }) => ({
        from: roomOf(file.path),
        to: roomOf(join(dirname(file.path), specifier)),
        path: file.path,
        typeOnly,
      })),
  );
}

function describeArrow({ from, to, path }: Arrow): string {
  return `${from} → ${to} (${path})`;
}

/** The folder in `src`; for a file that lies in `src` itself, the file. */
function roomOf(path: string): string {
  return path.split('/')[0] ?? path;
}

function isForTests(path: string): boolean {
  return /\.(?:test|contract)\.ts$|(?:^|\/)test-[^/]+\.ts$|(?:^|\/)__fixtures__\/|^(?:\.\.\/)+test\//.test(
    path,
  );
}

/** A specifier that ends in another package of this repository; `@keyfold/protocol` is everybody's. */
function leavesPackage(file: SourceFile, specifier: string): boolean {
  if (specifier.startsWith('.')) {
    const place = join(file.package, 'src', dirname(file.path), specifier);
    return !place.startsWith(`${file.package}/`);
  }
  return specifier === 'keyfold' || (specifier.startsWith('@keyfold/') && specifier !== '@keyfold/protocol');
}

/** `pg`, `@hono/zod-openapi`; undefined for files and for what Node brings. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function named(file: SourceFile): (each: Import) => string {
  return ({ specifier, dynamic }) =>
    `${file.package}/${file.path} imports '${specifier}'${dynamic ? ' at run time' : ''}`;
}

function readSources(name: string): SourceFile[] {
  const root = join(PACKAGES, name, 'src');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return { package: name, path: relative('', path), text, imports: readImports(text) };
    });
}

/** Static imports and re-exports, with or without bindings, and dynamic ones of a fixed name. */
function readImports(text: string): Import[] {
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
  const calls = text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g);
  return [
    ...[...statements].map(([, type, specifier]) => ({
      specifier: specifier ?? '',
      typeOnly: type !== undefined,
      dynamic: false,
    })),
    ...[...calls].map(([, specifier]) => ({ specifier: specifier ?? '', typeOnly: false, dynamic: true })),
  ];
}
