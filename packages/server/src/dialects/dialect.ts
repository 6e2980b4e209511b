/**
 * The two sides of a dialect. A client's side reads requests and writes answers; a provider's side writes requests and
 * reads answers. All of it is pure, and what a side cannot say it refuses by name: nothing is dropped on the way.
 */
import type { Denial } from '../kernel/denial.ts';
import type { JsonObjectScan } from '../kernel/json-scan.ts';
import type { Endpoint } from '../providers/provider.ts';
import type { ChatAnswer, ChatEvent, ChatRequest } from './chat.ts';

/** A client's chat as it came. `scan` has checked its body: strict JSON, without duplicate or dangerous keys. */
export interface SentChat {
  readonly endpoint: Endpoint;
  readonly scan: JsonObjectScan;
  readonly streamed: boolean;
}

/** What an answer needs besides what the model said. */
export interface AnswerContext {
  /** Keyfold's id of the request, for vendors that give their answers none. */
  readonly requestId: string;
  /** The vendor's name of the model that was asked. */
  readonly model: string;
  readonly createdAtS: number;
  /** The client asked for the usage of its stream, where its dialect lets it choose. */
  readonly wantsUsage: boolean;
}

export interface ClientDialect {
  /** Reads a whole request, or refuses it naming a field: wrong ones, and those that no other dialect has. */
  readRequest(sent: SentChat): ChatRequest | Denial;
  /** The body of a whole answer. */
  writeAnswer(answer: ChatAnswer, context: AnswerContext): Buffer;
  createStreamEncoder(context: AnswerContext): StreamEncoder;
}

/** Writes one answer as server-sent events. */
export interface StreamEncoder {
  /** What the client is sent for this event; possibly nothing yet. `failed` writes nothing: the gateway ends the stream. */
  push(event: ChatEvent): string;
}

export interface ProviderDialect {
  /** Which endpoint of the provider a chat goes to. */
  endpointFor(chat: ChatRequest): Endpoint;
  /** The body for the vendor's model, or a refusal that names the client's own field. */
  writeRequest(chat: ChatRequest, upstreamModel: string): Buffer | Denial;
  /** `undefined` for what is not an answer. Never throws. */
  readAnswer(body: Buffer): ChatAnswer | undefined;
  createStreamDecoder(): StreamDecoder;
}

/** Reads one streamed answer. Never throws, whatever the bytes. */
export interface StreamDecoder {
  /** One whole server-sent event, its data lines joined. */
  push(event: SentEvent): readonly ChatEvent[];
  /** The stream has ended: what was still open, and `end` where only the end of the stream says so. */
  finish(): readonly ChatEvent[];
}

export interface SentEvent {
  /** Its `event:` line; empty where it has none. */
  readonly name: string;
  readonly data: string;
}
