/** `ClientExchange` over Node's request and response, speaking OpenAI's dialect. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientExchange, ClientStream, ResponseHeaders } from '../gateway/client-exchange.ts';
import type { Denial } from '../kernel/denial.ts';
import { renderOpenAiError } from '../kernel/error-bodies.ts';
import type { Fault } from '../kernel/fault.ts';
import { BODIES_BYTES_MAX, BodyBudget } from './body-budget.ts';
import type { RequestHead } from './check-head.ts';
import { readBody } from './read-body.ts';

/** The one budget of the process, whatever it listens on. */
const BODIES = new BodyBudget(BODIES_BYTES_MAX);

export class NodeExchange implements ClientExchange, ClientStream {
  readonly requestId: string;
  readonly secret: string | undefined;
  readonly address: string;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #bodyBytesMax: number;
  readonly #bodies: BodyBudget;

  constructor(
    pair: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
    facts: {
      readonly head: RequestHead;
      readonly requestId: string;
      readonly address: string;
      readonly bodyBytesMax: number;
      /** The process's own unless another is given. */
      readonly bodies?: BodyBudget;
    },
  ) {
    this.#incoming = pair.incoming;
    this.#outgoing = pair.outgoing;
    this.#bodyBytesMax = facts.bodyBytesMax;
    this.#bodies = facts.bodies ?? BODIES;
    this.secret = facts.head.secret;
    this.requestId = facts.requestId;
    this.address = facts.address;
  }

  readBody(): Promise<Buffer | Denial> {
    let taken = 0;
    let isOver = this.#outgoing.destroyed;
    // The body is kept until the call is over: it may be sent for as long as there is an answer to wait for.
    this.#outgoing.once('close', () => {
      isOver = true;
      this.#bodies.give(taken);
    });
    const take = (bytes: number) => {
      if (isOver || !this.#bodies.take(bytes)) return false;
      taken += bytes;
      return true;
    };
    return readBody(this.#incoming, { bytesMax: this.#bodyBytesMax, take });
  }

  onGone(listener: () => void): void {
    if (this.#outgoing.destroyed) {
      listener();
      return;
    }
    this.#outgoing.once('close', () => {
      if (!this.#outgoing.writableFinished) listener();
    });
  }

  respond(status: number, headers: ResponseHeaders, body: Buffer): void {
    headers['x-request-id'] = this.requestId;
    headers['content-length'] = String(body.length);
    this.#outgoing.writeHead(status, headers).end(body);
  }

  refuse(refusal: Denial | Fault, headers: ResponseHeaders): void {
    if (this.#outgoing.headersSent) {
      this.#outgoing.destroy();
      return;
    }
    const rendered = renderOpenAiError(refusal);
    // A body that was not read in full would be taken for the next request: the connection ends here.
    const isUnread = !this.#incoming.complete;
    this.respond(
      rendered.status,
      { ...headers, ...rendered.headers, ...(isUnread ? { connection: 'close' } : {}) },
      Buffer.from(rendered.body, 'utf8'),
    );
  }

  startStream(status: number, headers: ResponseHeaders): ClientStream {
    headers['x-request-id'] = this.requestId;
    this.#outgoing.writeHead(status, headers);
    return this;
  }

  write(bytes: Buffer): boolean {
    return this.#outgoing.write(bytes);
  }

  onDrain(listener: () => void): void {
    this.#outgoing.on('drain', listener).on('close', listener);
  }

  end(): void {
    this.#outgoing.end();
  }

  fail(fault: Fault): void {
    // The blank line ends an event that was cut off, so that the error stands in one of its own.
    this.#outgoing.end(`\n\ndata: ${renderOpenAiError(fault).body}\n\n`);
  }

  destroy(): void {
    this.#outgoing.destroy();
  }
}
