/** Responsible for one HTTP exchange with a provider: sends a request, relays the answer's bytes, classifies what breaks. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, errors } from 'undici';
import type { UpstreamQuestion, UpstreamRequest } from '../providers/provider.ts';
import type { OriginPool } from './pools.ts';
import { classifyFault, type UpstreamFault } from './upstream-fault.ts';

/**
 * Takes the answer. `onHead` comes at most once and before any bytes; exactly one of `onEnd` and `onFault` comes last,
 * possibly before `send` returns. None may throw.
 */
export interface UpstreamReceiver {
  onHead(status: number, headers: IncomingHttpHeaders): void;
  /**
   * Answers false to pause until `Exchange.resume`. What the socket has already delivered may still arrive while paused,
   * when the provider closes the connection.
   */
  onBytes(chunk: Buffer): boolean;
  onEnd(): void;
  /** Nothing more comes. After `onHead`, the answer is incomplete. */
  onFault(fault: UpstreamFault): void;
}

/** A running exchange. */
export interface Exchange {
  /** Gives up: the connection is closed, and the receiver hears `aborted` unless it has heard the end already. */
  abort(): void;
  resume(): void;
}

/** Sends `request` once, below the base path of the pool's origin. Redirects are never followed; nothing is retried. */
export function send(
  pool: OriginPool,
  request: UpstreamRequest | UpstreamQuestion,
  receiver: UpstreamReceiver,
): Exchange {
  const exchange = new RunningExchange(pool, receiver);
  if (!pool.enter()) {
    receiver.onFault({ kind: 'overloaded', sent: false, detail: `too many calls to ${pool.origin}` });
    return ENDED;
  }
  pool.dispatcher.dispatch(
    {
      path: pool.basePath + request.path,
      method: request.method,
      headers: request.headers as Record<string, string>,
      body: 'body' in request ? request.body : null,
    },
    exchange,
  );
  return exchange;
}

class RunningExchange implements Exchange, Dispatcher.DispatchHandler {
  readonly #pool: OriginPool;
  readonly #receiver: UpstreamReceiver;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  /** The receiver has heard `onEnd` or `onFault`. */
  #isOver = false;
  #hasLeft = false;

  constructor(pool: OriginPool, receiver: UpstreamReceiver) {
    this.#pool = pool;
    this.#receiver = receiver;
  }

  abort(): void {
    if (this.#isOver) return;
    this.#fail({ kind: 'aborted', sent: this.#controller !== undefined, detail: 'given up' });
    this.#controller?.abort(new errors.RequestAbortedError());
  }

  resume(): void {
    this.#controller?.resume();
  }

  /** Comes when a connection takes the request, just before its first byte is written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Throwing here, unlike `controller.abort`, drops the request and spares the connection.
    if (this.#isOver) throw new errors.RequestAbortedError();
    this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (this.#isOver || status < 200) return;
    if (status < 300 || status > 399) {
      this.#receiver.onHead(status, headers);
      return;
    }
    this.#fail({ kind: 'redirected', sent: true, detail: `status ${status}` });
    controller.abort(new errors.RequestAbortedError());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    if (!this.#receiver.onBytes(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#leave();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#receiver.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#leave();
    this.#fail(classifyFault(error, this.#controller !== undefined));
  }

  #fail(fault: UpstreamFault): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#receiver.onFault(fault);
  }

  /** An aborted call keeps its place until the HTTP client has let go of it, since until then it costs memory. */
  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#pool.leave();
  }
}

const ENDED: Exchange = { abort: () => {}, resume: () => {} };
