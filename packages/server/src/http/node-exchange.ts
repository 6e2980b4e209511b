/** `ClientExchange` over Node's request and response, in the dialect of the path that was asked. */
import { CLIENT_STALL_MS } from '../gateway/answering/stream-relay.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientExchange, ClientStream, ResponseHeaders } from '../gateway/client-exchange.ts';
import type { Denial } from '../kernel/denial.ts';
import {
  type RenderedError,
  renderAnthropicError,
  renderGeminiError,
  renderOpenAiError,
} from '../kernel/error-bodies.ts';
import type { Fault } from '../kernel/fault.ts';
import { BODIES_BYTES_MAX, BodyBudget, UNPROVED_BYTES_MAX } from './body-budget.ts';
import type { Dialect } from '../providers/provider.ts';
import { readBody } from './read-body.ts';
import type { PresentedRequest } from '../signing/presented.ts';

/** The budgets of the process, whatever it listens on. */
const BODIES = new BodyBudget(BODIES_BYTES_MAX);
const UNPROVED = new BodyBudget(UNPROVED_BYTES_MAX);

export class NodeExchange implements ClientExchange, ClientStream {
  readonly requestId: string;
  readonly presented: PresentedRequest;
  readonly address: string;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #bodyBytesMax: number;
  readonly #dialect: Dialect;
  readonly #bodies: BodyBudget;
  readonly #unproved: BodyBudget;
  #unprovedBytes = 0;
  readonly #stallMs: number;

  constructor(
    pair: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
    facts: {
      readonly head: PresentedRequest;
      readonly requestId: string;
      readonly address: string;
      readonly bodyBytesMax: number;
      /** Of its errors; OpenAI's unless another is given. */
      readonly dialect?: Dialect;
      /** The process's own unless another is given. */
      readonly bodies?: BodyBudget;
      readonly unproved?: BodyBudget;
      readonly stallMs?: number;
    },
  ) {
    this.#incoming = pair.incoming;
    this.#outgoing = pair.outgoing;
    this.#bodyBytesMax = facts.bodyBytesMax;
    this.#dialect = facts.dialect ?? 'openai';
    this.#bodies = facts.bodies ?? BODIES;
    this.#unproved = facts.unproved ?? UNPROVED;
    this.#stallMs = facts.stallMs ?? CLIENT_STALL_MS;
    this.presented = facts.head;
    this.requestId = facts.requestId;
    this.address = facts.address;
  }

  readBody(isProved: boolean): Promise<Buffer | Denial> {
    let taken = 0;
    let isOver = this.#outgoing.destroyed;
    // The body is kept until the call is over: it may be sent for as long as there is an answer to wait for.
    this.#outgoing.once('close', () => {
      isOver = true;
      this.#bodies.give(taken);
      this.vouch();
    });
    const take = (bytes: number) => {
      if (isOver || (!isProved && !this.#unproved.take(bytes))) return false;
      if (!isProved) this.#unprovedBytes += bytes;
      if (!this.#bodies.take(bytes)) return false;
      taken += bytes;
      return true;
    };
    return readBody(this.#incoming, { bytesMax: this.#bodyBytesMax, take });
  }

  vouch(): void {
    this.#unproved.give(this.#unprovedBytes);
    this.#unprovedBytes = 0;
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
    this.#identify(headers);
    headers['content-length'] = String(body.length);
    this.#outgoing.writeHead(status, headers).end(body);
    this.#expectReader();
  }

  refuse(refusal: Denial | Fault, headers: ResponseHeaders): void {
    if (this.#outgoing.headersSent) {
      this.#outgoing.destroy();
      return;
    }
    const rendered = this.#render(refusal);
    // A body that was not read in full would be taken for the next request: the connection ends here.
    const isUnread = !this.#incoming.complete;
    this.respond(
      rendered.status,
      { ...headers, ...rendered.headers, ...(isUnread ? { connection: 'close' } : {}) },
      Buffer.from(rendered.body, 'utf8'),
    );
  }

  startStream(status: number, headers: ResponseHeaders): ClientStream {
    this.#identify(headers);
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
    this.#expectReader();
  }

  fail(fault: Fault): void {
    // The blank line ends an event that was cut off, so that the error stands in one of its own.
    const event = this.#dialect === 'anthropic' ? 'event: error\n' : '';
    this.#outgoing.end(`\n\n${event}data: ${this.#render(fault).body}\n\n`);
    this.#expectReader();
  }

  /** An answer that nobody reads is kept in memory, with the body of its request: not for longer than that. */
  #expectReader(): void {
    if (this.#outgoing.writableLength === 0) return;
    this.#outgoing.setTimeout(this.#stallMs, () => this.#outgoing.destroy());
  }

  #render(refusal: Denial | Fault): RenderedError {
    switch (this.#dialect) {
      case 'openai':
        return renderOpenAiError(refusal);
      case 'anthropic':
        return renderAnthropicError(refusal, this.requestId);
      case 'gemini':
        return renderGeminiError(refusal);
    }
  }

  /** Anthropic's clients look for the id under a name of their own. */
  #identify(headers: ResponseHeaders): void {
    headers['x-request-id'] = this.requestId;
    if (this.#dialect === 'anthropic') headers['request-id'] = this.requestId;
  }

  destroy(): void {
    this.#outgoing.destroy();
  }
}
