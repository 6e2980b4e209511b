/** The event loop's end of the audit thread: searches answered by number, and streams pulled by their readers. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { Fault } from '../../kernel/fault.ts';
import type { Place } from '../place.ts';
import type { AuditFilter } from '../search/filter.ts';
import type { SearchPage, SearchQuery } from '../search/search-log.ts';
import type { StreamPiece } from './live-streams.ts';
import type { AuditRequest, AuditResponse, AuditThreadSettings } from './messages.ts';

/** Searches that may wait; beyond it they are refused at once. */
const SEARCHES_MAX = 100;
/** Live streams of this process, and of one organization in it. */
const STREAMS_MAX = 100;
export const STREAMS_PER_ORGANIZATION_MAX = 50;
/** A dead thread is started again no sooner. */
const RESTART_PAUSE_MS = 1_000;
/** After the process has begun to serve, unless somebody asks before. */
const START_AFTER_MS = 3_000;
const YOUNG_GENERATION_MB = 8;
/** A stream says that it lives. */
const ALIVE_EVERY_MS = 15_000;
const ALIVE = ': alive\n\n';

interface Waiting {
  readonly resolve: (page: SearchPage) => void;
  readonly reject: (error: Error) => void;
}

/** What a stream's reader waits for. */
interface OpenStream {
  readonly organizationId: string | undefined;
  readonly pieces: StreamPiece[];
  wake: (() => void) | undefined;
}

export interface AuditThreadParts {
  readonly settings: Omit<AuditThreadSettings, 'judging'>;
  /** Whenever the thread is started: the event loop's end of what judges by the rules in it. */
  readonly onStart: (judging: MessagePort) => void;
  /** The file of the thread's entry point. */
  readonly entry: URL;
  readonly onFailure: (error: unknown) => void;
}

export class AuditThreadPort {
  readonly #parts: AuditThreadParts;
  readonly #searches = new Map<number, Waiting>();
  readonly #streams = new Map<number, OpenStream>();
  #worker: Worker | undefined;
  #diedAtMs = -Infinity;
  #nextId = 1;
  #isClosing = false;

  constructor(parts: AuditThreadParts) {
    this.#parts = parts;
    this.#restartIn(START_AFTER_MS);
  }

  /** Where there are rules to judge by, it is not waited for somebody who asks. */
  start(): void {
    if (!this.#isClosing && this.#worker === undefined) this.#start();
  }

  /** Throws `Fault('unavailable')`, also when too many wait. */
  async search(query: SearchQuery): Promise<SearchPage> {
    if (this.#searches.size >= SEARCHES_MAX) throw unavailable('too many searches wait');
    const id = this.#nextId++;
    const page = new Promise<SearchPage>((resolve, reject) => this.#searches.set(id, { resolve, reject }));
    this.#say({ kind: 'search', id, query });
    return page;
  }

  /**
   * Server-sent events of what matches, after a place or from now on, for as long as they are read and `signal` allows.
   * `undefined` where there is no room for another stream. Throws `Fault('unavailable')`.
   */
  follow(
    filter: AuditFilter,
    after: Place | undefined,
    signal: AbortSignal,
  ): AsyncIterable<string> | undefined {
    const { organizationId } = filter;
    const own = [...this.#streams.values()].filter((each) => each.organizationId === organizationId).length;
    if (this.#streams.size >= STREAMS_MAX || own >= STREAMS_PER_ORGANIZATION_MAX) return undefined;
    const stream = this.#nextId++;
    this.#say({ kind: 'open', stream, filter, after });
    this.#streams.set(stream, { organizationId, pieces: [], wake: undefined });
    // Also where nobody ever reads from it.
    signal.addEventListener('abort', () => this.#leave(stream), { once: true });
    return this.#read(stream, signal);
  }

  async *#read(stream: number, signal: AbortSignal): AsyncGenerator<string> {
    const open = this.#streams.get(stream);
    if (open === undefined) return;
    const wake = () => open.wake?.();
    const timer = setInterval(wake, ALIVE_EVERY_MS);
    signal.addEventListener('abort', wake);
    try {
      // The head of the answer goes out at once, whenever the first record comes.
      yield ': connected\n\n';
      while (!signal.aborted) {
        const piece = open.pieces.shift();
        if (piece !== undefined) {
          yield piece.text;
          if (piece.isLast) return;
          this.#tell({ kind: 'taken', stream, characters: piece.text.length });
          continue;
        }
        await new Promise<void>((resolve) => (open.wake = resolve));
        if (open.pieces.length === 0 && !signal.aborted) yield ALIVE;
      }
    } finally {
      clearInterval(timer);
      this.#leave(stream);
    }
  }

  #leave(stream: number): void {
    if (this.#streams.delete(stream)) this.#tell({ kind: 'close', stream });
  }

  /** Where there is no thread there is nothing to tell it. */
  #tell(request: AuditRequest): void {
    this.#worker?.postMessage(request);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ kind: 'end' } satisfies AuditRequest);
    await ended;
  }

  #start(): void {
    const { entry, settings, onStart } = this.#parts;
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(entry, {
      workerData: { ...settings, judging: port2 } satisfies AuditThreadSettings,
      transferList: [port2],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    worker.on('message', (response: AuditResponse) => this.#hear(response));
    worker.on('error', (error) => this.#parts.onFailure(error));
    worker.on('exit', () => this.#die());
    this.#worker = worker;
    onStart(port1);
  }

  #say(request: AuditRequest): void {
    if (this.#worker === undefined) {
      if (this.#isClosing || performance.now() - this.#diedAtMs < RESTART_PAUSE_MS)
        throw unavailable('the audit thread is down');
      this.#start();
    }
    this.#worker?.postMessage(request);
  }

  #hear(response: AuditResponse): void {
    switch (response.kind) {
      case 'ready':
        return;
      case 'found':
        this.#take(response.id)?.resolve(response.page);
        return;
      case 'failed':
        this.#take(response.id)?.reject(unavailable(`a search failed: ${response.error}`));
        return;
      case 'piece':
        this.#pass(response.stream, response.piece);
        return;
      case 'unknown place':
        this.#pass(response.stream, UNKNOWN_PLACE);
        return;
      case 'trouble':
        this.#parts.onFailure(new Error(response.error));
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#searches.get(id);
    this.#searches.delete(id);
    return waiting;
  }

  #pass(stream: number, piece: StreamPiece): void {
    const open = this.#streams.get(stream);
    open?.pieces.push(piece);
    open?.wake?.();
  }

  /** Searches fail, and streams end: their readers come back with their place. */
  #die(): void {
    this.#worker = undefined;
    this.#diedAtMs = performance.now();
    for (const id of this.#searches.keys()) this.#take(id)?.reject(unavailable('the audit thread has ended'));
    for (const stream of this.#streams.keys()) this.#pass(stream, ENDED);
    if (this.#isClosing) return;
    this.#restartIn(RESTART_PAUSE_MS);
  }

  /** Not only when somebody searches: the index must not fall behind. */
  #restartIn(ms: number): void {
    setTimeout(() => this.start(), ms).unref();
  }
}

const ENDED: StreamPiece = {
  text: 'event: dropped\ndata: {"reason":"Keyfold stopped following the log"}\n\n',
  isLast: true,
};
const UNKNOWN_PLACE: StreamPiece = {
  text: 'event: dropped\ndata: {"reason":"the log does not reach this place: it was put back, or the id is of another log"}\n\n',
  isLast: true,
};

function unavailable(internal: string): Fault {
  return new Fault('unavailable', { internal });
}
