/**
 * The port that every vendor's wire format implements. A provider is pure: it turns bytes into bytes and reads usage out
 * of them; it opens no socket, keeps no state between calls and sees a secret only as an argument.
 */
import type { JsonObjectScan } from '../kernel/json-scan.ts';

export type Endpoint = 'chat.completions' | 'completions' | 'embeddings';

/** One call as the client wrote it, with what the gateway decided about it. */
export interface ModelCall {
  readonly endpoint: Endpoint;
  /** The model's name at the vendor. */
  readonly upstreamModel: string;
  /** The client's body, checked by `scan`, and never changed. */
  readonly body: Buffer;
  readonly scan: JsonObjectScan;
  readonly streamed: boolean;
  /** The client itself asked for the usage of a streamed call, so it must see it. */
  readonly wantsUsageChunk: boolean;
  /** The most output tokens a choice may have, where the client says so under whatever name. */
  readonly outputTokensMax: number | undefined;
  /** The most output tokens to allow, set only when the client named no limit of its own. */
  readonly outputTokensCap: number | undefined;
}

export interface UpstreamRequest {
  readonly method: 'POST';
  /** Begins with a slash and comes after the path of the credential's base URL. */
  readonly path: string;
  /** Complete: nothing that the client sent is added. Names are lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * Tokens by class, as the vendor measured them. The classes are disjoint: cached input and cache writes are not in
 * `inputTokens`, reasoning is not in `outputTokens`. Every count is a whole number from 0 to 2^53 − 1.
 */
export interface ReportedUsage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/**
 * Why a vendor's usage cannot be believed. `unreadable`: the answer is no JSON object at all. `missing`: there is no
 * usage, or a count in it is absent. `not_a_number`: a count is text or another type. `malformed`: ambiguous, fractional,
 * or counts that contradict each other.
 */
export type UsageProblem =
  | 'unreadable'
  | 'missing'
  | 'malformed'
  | 'negative'
  | 'not_finite'
  | 'not_a_number';

export type UsageReading = { readonly usage: ReportedUsage } | { readonly problem: UsageProblem };

/** What a tap knows once the stream has ended, for whatever reason. */
export interface StreamSummary {
  readonly reading: UsageReading;
  /** The vendor said that the answer is complete; without it the stream was cut off. */
  readonly completed: boolean;
  /** Bytes held back that still belong to the client. */
  readonly trailing: Buffer | undefined;
}

/**
 * Watches one streamed answer on its way to the client. Never throws, whatever the bytes. It keeps the chunks that it
 * has been given until the event in them is complete, so they must not change.
 */
export interface StreamTap {
  /** The bytes to relay now: the very same chunk where nothing is withheld, else its parts in order. */
  push(chunk: Buffer): Buffer | readonly Buffer[];
  /** Call once, when the stream has ended or was given up. */
  finish(): StreamSummary;
}

/**
 * Whose fault a failed attempt is. `request`: the call itself is wrong. `credential`: the vendor refuses our secret or
 * its rights. `model`: the vendor has no such model. `rate_limit`: too much for now. `quota`: the account has no money
 * left. `overload` and `server`: the vendor is in trouble.
 */
export type FailureKind = 'request' | 'credential' | 'model' | 'rate_limit' | 'quota' | 'overload' | 'server';

export interface FailureClass {
  readonly kind: FailureKind;
  /** `elsewhere`: only another target can help. `anywhere`: the same target may also succeed a moment later. */
  readonly retry: 'never' | 'elsewhere' | 'anywhere';
}

/** An answer made without any upstream. The chunks together are the body; a streamed answer has one event in each. */
export interface LocalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly Buffer[];
}

export interface Provider {
  readonly id: string;
  /** The request for `call`, authorized with `secret`. Fields that Keyfold does not know pass as they are. */
  buildRequest(call: ModelCall, secret: string): UpstreamRequest;
  /** Usage of a complete answer that was not streamed. Never throws. */
  readUsage(endpoint: Endpoint, body: Buffer): UsageReading;
  createStreamTap(call: ModelCall): StreamTap;
  /** Judges an answer whose status is not 2xx. `body` may be cut short or not be JSON. Never throws. */
  classifyFailure(status: number, body: Buffer): FailureClass;
  /** Only where there is no upstream at all: then `buildRequest` is not called. */
  answer?(call: ModelCall): LocalAnswer;
}
