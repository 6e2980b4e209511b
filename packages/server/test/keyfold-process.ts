/** Test support: `keyfold serve` as a process of its own, which can be killed and started again on the same data. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DatabaseKind, DatabasePlace } from './databases.ts';

type Environment = Readonly<Record<string, string>>;

/** What the operating system denies the process. */
export interface ProcessLimits {
  /** No file grows beyond it: to the process, the disk is full. */
  readonly fileKibMax?: number;
  /** The process runs as this user, where the tests run as root, whom no file's mode stops. */
  readonly uid?: number;
  /** A command that runs the process and watches it, and leaves its id and its signals to it. */
  readonly tracer?: readonly string[];
}

export interface KeyfoldProcess extends AsyncDisposable {
  /** Of the process that runs now. */
  readonly url: string;
  readonly adminKey: string;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly pid: number | undefined;
  /** Standard output and error of every process so far. */
  readonly output: string;
  /** Starts a process and waits until it listens. Throws what it printed when it ends instead. */
  start(environment?: Environment, limits?: ProcessLimits): Promise<void>;
  /** Starts a process and does not wait. */
  spawn(environment?: Environment, limits?: ProcessLimits): void;
  /** Resolves with the exit code of the process, `null` when a signal ended it. */
  signal(name: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
  /** Kills what still runs and removes the data. */
  remove(): Promise<void>;
}

const COMMAND_LINE = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url));
/** What a process that ends in order leaves for the next: half of a start from the sources is compiling them. */
const COMPILED = join(tmpdir(), 'keyfold-compiled');
const LISTENS = /Keyfold listens on (\S+)/g;
const START_TIMEOUT_MS = 20_000;

/** `dataDir`: with what it holds; removed in the end. A fresh one where it is absent. */
export async function createKeyfoldProcess(
  kind: DatabaseKind,
  dataDir = mkdtempSync(join(tmpdir(), 'keyfold-process-')),
): Promise<KeyfoldProcess> {
  const place = kind.name === 'postgres' ? await kind.create() : undefined;
  return new Process(dataDir, place);
}

class Process implements KeyfoldProcess {
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  url = '';
  output = '';
  readonly #place: DatabasePlace | undefined;
  #child: ChildProcess | undefined;

  constructor(dataDir: string, place: DatabasePlace | undefined) {
    this.dataDir = dataDir;
    this.databaseUrl = place?.location;
    this.#place = place;
  }

  get adminKey(): string {
    return readFileSync(this.#adminKeyFile, 'utf8').trim();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get #adminKeyFile(): string {
    return join(this.dataDir, 'admin.key');
  }

  spawn(environment: Environment = {}, limits: ProcessLimits = {}): void {
    const command = [...(limits.tracer ?? []), process.execPath, COMMAND_LINE, 'serve'];
    const child = spawn('sh', ['-c', shellScript(limits), ...command], {
      ...(limits.uid === undefined ? {} : { uid: limits.uid, gid: limits.uid }),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        NODE_COMPILE_CACHE: COMPILED,
        KEYFOLD_LISTEN: '127.0.0.1:0',
        KEYFOLD_DATA_DIR: this.dataDir,
        KEYFOLD_ADMIN_KEY_FILE: this.#adminKeyFile,
        KEYFOLD_LOG_LEVEL: 'error',
        ...(this.databaseUrl === undefined ? {} : { KEYFOLD_DATABASE_URL: this.databaseUrl }),
        ...environment,
      },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    // Whoever ends the tests, by whatever signal, has not to look for what they had started.
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('close', () => process.off('exit', end));
    this.#child = child;
  }

  async start(environment: Environment = {}, limits: ProcessLimits = {}): Promise<void> {
    const from = this.output.length;
    this.spawn(environment, limits);
    const child = this.#child as ChildProcess;
    this.url = await new Promise<string>((resolve, reject) => {
      const fail = (problem: string) => reject(new Error(`${problem}: ${this.output.slice(from)}`));
      const timer = setTimeout(() => fail('it does not listen'), START_TIMEOUT_MS);
      child.once('close', (code) => {
        clearTimeout(timer);
        fail(`it ended with ${code}`);
      });
      child.stdout?.on('data', () => {
        const [listens] = this.output.slice(from).matchAll(LISTENS);
        if (listens?.[1] === undefined) return;
        clearTimeout(timer);
        resolve(listens[1]);
      });
    });
  }

  async signal(name: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) throw new Error('no process was started');
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'close') as Promise<[number | null]>;
    child.kill(name);
    const [code] = await ended;
    return code;
  }

  async remove(): Promise<void> {
    if (this.#child !== undefined) await this.signal('SIGKILL');
    await this.#place?.remove();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}

/** Becomes the program that its arguments name. A shell counts the size of files in blocks of 512 bytes. */
function shellScript({ fileKibMax }: ProcessLimits): string {
  const limit = fileKibMax === undefined ? '' : `trap '' XFSZ; ulimit -f ${2 * fileKibMax}; `;
  return `${limit}exec "$0" "$@"`;
}
