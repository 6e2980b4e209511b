/** `npm run build`: compiles each package into its `dist/`, with declarations and a manifest, ready to be published. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PACKAGES = ['protocol', 'sdk', 'server', 'cli'];
/** Where the compiler writes; removed at the end. */
const WORKSHOP = join(ROOT, 'dist');

const TEST_FILES = ['**/*.test.ts', '**/*.contract.ts', '**/test-*.ts', '**/__fixtures__'];
/** What a package ships beside its code, where it has it. */
const SHIPPED_ALONG = ['vectors', 'README.md'];
/** Data that the code reads, by package, within `src`. */
const DATA: Readonly<Record<string, readonly string[]>> = { server: ['pricing/catalog.json'] };

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

build();

function build(): void {
  rmSync(WORKSHOP, { recursive: true, force: true });
  mkdirSync(WORKSHOP);
  try {
    compile();
    for (const name of PACKAGES) assemble(name);
  } finally {
    rmSync(WORKSHOP, { recursive: true, force: true });
  }
  process.stdout.write(`Built ${PACKAGES.map((name) => `packages/${name}/dist`).join(', ')}\n`);
}

/** One program for all packages, so that they are checked against each other and not against an older build. */
function compile(): void {
  const settings = {
    extends: '../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      declaration: true,
      stripInternal: true,
      rootDir: '../packages',
      outDir: './out',
    },
    include: PACKAGES.map((name) => `../packages/${name}/src`),
    exclude: TEST_FILES.map((pattern) => `../packages/${pattern}`),
  };
  writeFileSync(join(WORKSHOP, 'tsconfig.json'), JSON.stringify(settings));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const run = spawnSync(process.execPath, [compiler, '-p', WORKSHOP], { stdio: 'inherit' });
  if (run.status !== 0) throw new Error('the compiler found errors');
}

function assemble(name: string): void {
  const from = join(ROOT, 'packages', name);
  const dist = join(from, 'dist');
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  renameSync(join(WORKSHOP, 'out', name, 'src'), join(dist, 'src'));
  for (const file of DATA[name] ?? []) cpSync(join(from, 'src', file), join(dist, 'src', file));
  for (const along of SHIPPED_ALONG) {
    if (existsSync(join(from, along))) cpSync(join(from, along), join(dist, along), { recursive: true });
  }
  cpSync(join(ROOT, 'LICENSE'), join(dist, 'LICENSE'));
  for (const file of filesIn(join(dist, 'src'))) refusePaths(file);
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifestOf(name), undefined, 2)}\n`);
}

/** The repository's manifest, pointing at what was compiled. */
function manifestOf(name: string): Manifest {
  const {
    exports = {},
    bin,
    ...manifest
  } = JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8')) as Manifest;
  const entries = Object.entries(exports).map(([door, file]) => [door, compiledExport(file)]);
  const commands = Object.entries(bin ?? {}).map(([command, file]) => [command, compiledName(file)]);
  return {
    ...manifest,
    name: manifest.name,
    ...(entries.length === 0 ? {} : { exports: Object.fromEntries(entries) }),
    ...(commands.length === 0 ? {} : { bin: Object.fromEntries(commands) }),
    files: ['src', ...SHIPPED_ALONG.filter((along) => existsSync(join(ROOT, 'packages', name, along)))],
  };
}

function compiledExport(file: string): string | { readonly types: string; readonly default: string } {
  if (!file.endsWith('.ts')) return file;
  return { types: file.replace(/\.ts$/, '.d.ts'), default: compiledName(file) };
}

function compiledName(file: string): string {
  return file.replace(/\.ts$/, '.js');
}

/** Between packages only names lead anywhere once they are installed. */
function refusePaths(file: string): void {
  const found = /from ['"]((?:\.\.\/)+(?:protocol|sdk|server|cli)\/src\/[^'"]*)['"]/.exec(
    readFileSync(file, 'utf8'),
  );
  if (found !== null) throw new Error(`${file} reaches into another package by its path: ${found[1]}`);
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:js|d\.ts)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
