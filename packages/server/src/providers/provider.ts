/**
 * The port that every vendor's wire format implements. A provider is pure: it turns bytes into bytes and reads usage out
 * of them; it opens no socket, keeps no state between calls and sees a secret only as an argument.
 */
import type { JsonObjectScan } from '../kernel/json-scan.ts';
import type { Form } from '../kernel/multipart.ts';

/** Named as the paths are: `audio.speech` is `/v1/audio/speech`. */
export type OpenAiEndpoint =
  | 'chat.completions'
  | 'completions'
  | 'embeddings'
  | 'responses'
  | 'images.generations'
  | 'audio.speech'
  | 'audio.transcriptions'
  | 'audio.translations'
  | 'moderations';
export type AnthropicEndpoint = 'messages' | 'messages.count_tokens';
/** The methods of `/v1beta/models/{model}:method`. */
export type GeminiEndpoint =
  | 'generateContent'
  | 'streamGenerateContent'
  | 'countTokens'
  | 'embedContent'
  | 'batchEmbedContents';
export type Endpoint = OpenAiEndpoint | AnthropicEndpoint | GeminiEndpoint;

/** The wire format that a client or a provider speaks. */
export type Dialect = 'openai' | 'anthropic' | 'gemini';

export const DIALECTS: Readonly<Record<Endpoint, Dialect>> = {
  'chat.completions': 'openai',
  completions: 'openai',
  embeddings: 'openai',
  responses: 'openai',
  'images.generations': 'openai',
  'audio.speech': 'openai',
  'audio.transcriptions': 'openai',
  'audio.translations': 'openai',
  moderations: 'openai',
  messages: 'anthropic',
  'messages.count_tokens': 'anthropic',
  generateContent: 'gemini',
  streamGenerateContent: 'gemini',
  countTokens: 'gemini',
  embedContent: 'gemini',
  batchEmbedContents: 'gemini',
};

/** What OpenAI takes a moderation for whose body names no model. */
export const MODERATION_MODEL = 'omni-moderation-latest';

/** One call as the client wrote it, with what the gateway decided about it. */
export interface ModelCall {
  readonly endpoint: Endpoint;
  /** The model's name at the vendor. */
  readonly upstreamModel: string;
  /** The client's body, checked by `scan`, and never changed. */
  readonly body: Buffer;
  readonly scan: JsonObjectScan;
  /** Where the call is sent as a form: then `scan` has no fields. */
  readonly form?: Form;
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

/** A question about the account rather than a call: it generates nothing, costs nothing and has no body. */
export type UpstreamQuestion = Omit<UpstreamRequest, 'method' | 'body'> & { readonly method: 'GET' };

/**
 * Tokens by class, as the vendor measured them. The classes are disjoint: cached input and cache writes are not in
 * `inputTokens`, long cache writes are not in `cacheWriteTokens`, reasoning is not in `outputTokens`, and audio and images
 * are in neither. Cached audio has a class of its own; cached images are cached input. Every count is a whole number from
 * 0 to 2^53 − 1; one that is absent is none, since few vendors have its class.
 */
export interface ReportedUsage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  /** Writes to a cache that lives longer than the vendor's default. */
  readonly longCacheWriteTokens?: number;
  readonly audioInputTokens?: number;
  readonly cachedAudioInputTokens?: number;
  readonly imageInputTokens?: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly audioOutputTokens?: number;
  readonly imageOutputTokens?: number;
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

/**
 * What a vendor charges for besides tokens at the model's price, by what it reported: what its tools do by the piece, video
 * where it has a price of its own, and ways of serving that multiply every price.
 */
export type UnpricedCharge = 'web_search' | 'video' | 'fast_mode' | 'priority_tier' | 'inference_region';

/** `unpriced` is absent where the tokens tell the whole cost. */
export type UsageReading =
  | { readonly usage: ReportedUsage; readonly unpriced?: readonly UnpricedCharge[] }
  | { readonly problem: UsageProblem };

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
 * Whose fault a failed attempt is. `request`: the call itself is wrong. `credential`: the vendor refuses our secret.
 * `permission`: our secret may not use what the call names. `model`: the vendor has no such model. `rate_limit`: too much
 * for now. `quota`: the account has no money left. `overload` and `server`: the vendor is in trouble.
 */
export type FailureKind =
  | 'request'
  | 'credential'
  | 'permission'
  | 'model'
  | 'rate_limit'
  | 'quota'
  | 'overload'
  | 'server';

export interface FailureClass {
  readonly kind: FailureKind;
  /** `elsewhere`: only another target can help. `anywhere`: the same target may also succeed a moment later. */
  readonly retry: 'never' | 'elsewhere' | 'anywhere';
  /** When the vendor's body says that the same may succeed; most vendors say it in a `retry-after` header. */
  readonly retryAfterMs?: number;
}

/** An answer made without any upstream. The chunks together are the body; a streamed answer has one event in each. */
export interface LocalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly Buffer[];
}

/** How a vendor is asked which models it has. That is free, and shows whether a secret works. */
export interface ModelListing {
  buildRequest(secret: string): UpstreamQuestion;
  /** The names as calls give them, of the first page, which has all that vendors are known to have. Never throws. */
  read(body: Buffer): readonly string[] | undefined;
}

export interface Provider {
  readonly id: string;
  /** What it is asked in. A chat in another dialect is written in the first of them. */
  readonly dialects: readonly Dialect[];
  /** What it serves as the client wrote it; no other call is given to it. */
  readonly endpoints: readonly Endpoint[];
  /** Fields that would have it ask another model than the one that was decided about, or spend beside it. */
  readonly rerouting?: readonly string[];
  /** The request for `call`, authorized with `secret`. Fields that Keyfold does not know pass as they are. */
  buildRequest(call: ModelCall, secret: string): UpstreamRequest;
  /** Usage of a complete answer that was not streamed. Never throws. */
  readUsage(endpoint: Endpoint, body: Buffer): UsageReading;
  createStreamTap(call: ModelCall): StreamTap;
  /** Judges an answer whose status is not 2xx. `body` may be cut short or not be JSON. Never throws. */
  classifyFailure(status: number, body: Buffer): FailureClass;
  /** Absent where there is no upstream at all. */
  readonly models?: ModelListing;
  /** Only where there is no upstream at all: then `buildRequest` is not called. */
  answer?(call: ModelCall): LocalAnswer;
}
