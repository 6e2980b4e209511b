/** Starts the servers of a run and ends them again: every process here is known by its pid and outlives nothing. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const STOP_MS_MAX = 15_000;
const START_MS_MAX = 30_000;

export interface StartOptions {
  readonly core: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export interface RunOptions extends Omit<StartOptions, 'cwd'> {
  readonly timeoutMs: number;
}

export interface OwnedProcess {
  readonly name: string;
  readonly pid: number;
  /** The exit, as text, once it happened. */
  readonly exit: () => string | undefined;
  /** The last lines of what it printed. */
  readonly output: () => string;
}

const runProgram = promisify(execFile);

/** The processes of one run: servers that go on, and programs that are waited for. */
export class ProcessGroup {
  readonly #children = new Map<string, ChildProcess>();
  readonly #logDir: string;
  readonly #stopping = new AbortController();

  constructor(logDir: string) {
    this.#logDir = logDir;
  }

  /** Starts a program confined to one core. `taskset` becomes the program, so the pid is the program's own. */
  start(name: string, options: StartOptions): OwnedProcess {
    const logFile = join(this.#logDir, `${name}.log`);
    const log = openSync(logFile, 'w');
    const child = spawn('taskset', ['-c', String(options.core), options.command, ...options.args], {
      cwd: options.cwd ?? this.#logDir,
      env: options.env ?? process.env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    if (child.pid === undefined) throw new Error(`${name} could not be started`);
    this.#children.set(name, child);
    return {
      name,
      pid: child.pid,
      exit: () => describeExit(child),
      output: () => readFileSync(logFile, 'utf8').slice(-3000),
    };
  }

  /** Runs a program to its end, confined to one core, and returns what it printed; throws when it fails. */
  async run(options: RunOptions): Promise<string> {
    const args = ['-c', String(options.core), options.command, ...options.args];
    const { env = process.env, timeoutMs: timeout } = options;
    const { stdout } = await runProgram('taskset', args, { env, timeout, signal: this.#stopping.signal });
    return stdout;
  }

  /** Asks one process to end, waits, and kills it when it does not. */
  async stop(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (!child || describeExit(child)) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
  }

  async stopAll(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#children.keys()].map((name) => this.stop(name)));
  }
}

/** Waits until `url` answers with 200; throws with the process's last output when it ends or takes too long. */
export async function waitUntilReady(server: OwnedProcess, url: string): Promise<void> {
  const deadline = Date.now() + START_MS_MAX;
  while (Date.now() < deadline) {
    const exit = server.exit();
    if (exit) throw new Error(`${server.name} ended (${exit}):\n${server.output()}`);
    if (await answersOk(url)) return;
    await sleep(50);
  }
  throw new Error(`${server.name} was not ready within ${START_MS_MAX} ms:\n${server.output()}`);
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

function describeExit(child: ChildProcess): string | undefined {
  if (child.signalCode) return `signal ${child.signalCode}`;
  return child.exitCode === null ? undefined : `code ${child.exitCode}`;
}
