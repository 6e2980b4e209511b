/** The event loop's end of one SQLite worker: requests out, answers matched by number, death turned into faults. */
import { Worker } from 'node:worker_threads';
import type { ChainState } from '../audit-chain.ts';
import type { Opened, Request, Response, WorkerSettings } from './messages.ts';

type WithoutId<T> = T extends { readonly id: number } ? Omit<T, 'id'> : never;

/** The worker's objects die with their batch: a small nursery keeps its memory small. */
const YOUNG_GENERATION_MB = 8;

/** Requests that may wait for one worker; commits never do, since one follows the other. */
const CALLS_MAX = 2_000;

interface Waiting {
  readonly resolve: (response: Response) => void;
  readonly reject: (error: Error) => void;
}

/** The directory is in use by another Keyfold process. */
export class DirectoryLockedError extends Error {}

export class WorkerPort {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  /** What a writer's chain began from. */
  readonly chain: ChainState | undefined;
  #nextId = 1;
  #dead: Error | undefined;

  private constructor(worker: Worker, chain: ChainState | undefined) {
    this.#worker = worker;
    this.chain = chain;
    worker.on('message', (response: Response) => this.#settle(response));
    worker.on('error', (error) => this.#die(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#die(new Error('the SQLite worker has ended')));
  }

  static async open(settings: WorkerSettings): Promise<WorkerPort> {
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: settings,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const opened = await new Promise<Opened>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    if (opened.opened) return new WorkerPort(worker, opened.chain);
    await worker.terminate();
    throw opened.locked
      ? new DirectoryLockedError(`${settings.directory} is in use by another Keyfold process`)
      : new Error(`cannot open the database in ${settings.directory}: ${opened.error}`);
  }

  call(request: WithoutId<Request>): Promise<Response> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (this.#waiting.size >= CALLS_MAX)
      return Promise.reject(new Error('too many requests wait for the SQLite worker'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  async close(): Promise<void> {
    if (this.#dead !== undefined) return;
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    await this.call({ kind: 'close' });
    await ended;
  }

  #settle(response: Response): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if ('error' in response) waiting?.reject(new Error(response.error));
    else waiting?.resolve(response);
  }

  #die(error: Error): void {
    this.#dead ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
  }
}
