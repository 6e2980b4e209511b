/** What the gateway needs of the client's side of a call; `http/` implements it over a Node request and response. */
import type { Denial } from '../kernel/denial.ts';
import type { Fault } from '../kernel/fault.ts';
import type { PresentedRequest } from '../signing/presented.ts';

export type ResponseHeaders = Record<string, string>;

export interface ClientExchange {
  readonly requestId: string;
  /** What proves who the client is. */
  readonly presented: PresentedRequest;
  /** Address of the client, as far as trusted proxies tell. */
  readonly address: string;
  /** The whole body, under the size limit; those of senders who have not proved who they are share less memory. */
  readBody(isProved: boolean): Promise<Buffer | Denial>;
  /** The sender has proved who they are. */
  vouch(): void;
  /** Called at most once, when the client has gone before it was answered in full; at once if it has gone already. */
  onGone(listener: () => void): void;
  /** Answers in one write. */
  respond(status: number, headers: ResponseHeaders, body: Buffer): void;
  refuse(refusal: Denial | Fault, headers: ResponseHeaders): void;
  /** Begins a streamed answer; the head goes out with the first bytes. */
  startStream(status: number, headers: ResponseHeaders): ClientStream;
}

export interface ClientStream {
  /** False: the client is slow; pause until `onDrain`. */
  write(bytes: Buffer): boolean;
  /** Called each time that all that was written has been taken, and when nothing more can be. */
  onDrain(listener: () => void): void;
  end(): void;
  /** Ends a stream that broke with one last error event in the client's dialect. */
  fail(fault: Fault): void;
  /** Cuts the connection; `onGone` tells of it. */
  destroy(): void;
}
