/**
 * The neutral form of a chat: what a request asks and what an answer says, in no vendor's words. A call in one dialect to
 * a model of another goes through it in both directions; a call in the provider's own dialect never does.
 */
import type { ReportedUsage } from '../providers/provider.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** Whose signature it is: a vendor takes back its own alone. */
export type Signer = 'openai' | 'anthropic' | 'gemini';

/** Proof by which a vendor knows its own reasoning again. Opaque, and to be given back as it came. */
export interface Signature {
  readonly by: Signer;
  readonly value: string;
}

/** Where something stands in the client's body, such as `messages.3.content.0`: refusals name it. */
interface Placed {
  readonly at: string;
}

export interface TextPart extends Placed {
  readonly kind: 'text';
  readonly text: string;
  /** Gemini signs text, too. */
  readonly signature?: Signature;
}

/** Bytes in base64, or where they are. `mediaType` is absent only where an address does not say. */
export type Source =
  | { readonly kind: 'data'; readonly mediaType: string; readonly base64: string }
  | { readonly kind: 'url'; readonly url: string; readonly mediaType?: string };

export interface ImagePart extends Placed {
  readonly kind: 'image';
  readonly source: Source;
  /** How closely to look; absent is the vendor's choice. */
  readonly detail?: 'low' | 'high' | 'auto';
}

/** A recording; `mediaType` is `audio/wav`, `audio/mp3`, … */
export interface AudioPart extends Placed {
  readonly kind: 'audio';
  readonly source: Source;
}

/** A document, such as a PDF. */
export interface FilePart extends Placed {
  readonly kind: 'file';
  readonly source: Source;
  readonly name?: string;
}

export interface ToolCallPart extends Placed {
  readonly kind: 'tool_call';
  readonly id: string;
  readonly name: string;
  /** JSON text of an object. */
  readonly argumentsJson: string;
  readonly signature?: Signature;
}

export interface ToolResultPart extends Placed {
  readonly kind: 'tool_result';
  readonly callId: string;
  readonly content: readonly (TextPart | ImagePart | FilePart)[];
  readonly isError: boolean;
}

export interface ReasoningPart extends Placed {
  readonly kind: 'reasoning';
  /** Empty where the vendor shows none. */
  readonly text: string;
  readonly signature?: Signature;
  /** The vendor has encrypted all of it: `signature` is the whole, and there is no text. */
  readonly isRedacted?: boolean;
}

/** The model's own words that it will not answer. */
export interface RefusalPart extends Placed {
  readonly kind: 'refusal';
  readonly text: string;
}

export type UserPart = TextPart | ImagePart | AudioPart | FilePart | ToolResultPart;
export type AssistantPart = TextPart | ReasoningPart | ToolCallPart | RefusalPart;

/** `system` here is an instruction in the middle of the conversation; those before it are in `ChatRequest.system`. */
export type Turn =
  | ({ readonly role: 'user'; readonly parts: readonly UserPart[] } & Placed)
  | ({ readonly role: 'assistant'; readonly parts: readonly AssistantPart[] } & Placed)
  | ({ readonly role: 'system'; readonly parts: readonly TextPart[] } & Placed);

export interface Tool extends Placed {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of its arguments, an object's. Absent: it takes none. */
  readonly schema?: JsonObject;
  /** The arguments must follow the schema exactly. */
  readonly isStrict?: boolean;
}

/** `named`: one of these and no other. */
export type ToolChoice =
  | { readonly kind: 'auto' | 'none' | 'required' }
  | { readonly kind: 'named'; readonly names: readonly string[] };

/** `json`: any JSON object. `schema`: what follows this JSON Schema. Absent in a request: text. */
export type OutputFormat =
  | { readonly kind: 'json' }
  | {
      readonly kind: 'schema';
      readonly schema: JsonObject;
      readonly name?: string;
      readonly description?: string;
      readonly isStrict?: boolean;
    };

export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

/** Whatever of it the client set. `adaptive`: the model decides how much. `tokensMax` 0 and effort `none`: no reasoning. */
export interface Reasoning {
  readonly effort?: Effort;
  readonly tokensMax?: number;
  readonly isAdaptive?: boolean;
  /** The client wants to read it, or a summary of it. Absent is the vendor's choice. */
  readonly isShown?: boolean;
}

/** What a request may set besides its conversation. Each has a name in every dialect, by which refusals speak of it. */
export interface Settings {
  /** For each choice. */
  readonly outputTokensMax?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  /** How many answers, from 1. */
  readonly choices?: number;
  /** Log probabilities of the tokens, with so many alternatives to each (from 0). */
  readonly logprobs?: number;
  readonly output?: OutputFormat;
  readonly reasoning?: Reasoning;
  readonly toolChoice?: ToolChoice;
  readonly isParallelToolUseAllowed?: boolean;
  /** The client's own name for the person it serves. */
  readonly userId?: string;
}

export type Setting = keyof Settings;

export interface ChatRequest {
  readonly system: readonly TextPart[];
  /** At least one. */
  readonly turns: readonly Turn[];
  readonly tools: readonly Tool[];
  readonly settings: Settings;
  /** How the client's dialect calls each setting: for refusals. */
  readonly names: Readonly<Record<Setting, string>>;
  readonly streamed: boolean;
}

/**
 * `end`: the model was done. `length`: the limit on output, or the context, was reached. `tool_calls`: it waits for
 * results. `stop_sequence`: it wrote one of the client's. `filter`: the vendor cut it off or blocked it. `refusal`: the
 * model will not answer.
 */
export type StopReason = 'end' | 'length' | 'tool_calls' | 'stop_sequence' | 'filter' | 'refusal';

export interface Stop {
  readonly reason: StopReason;
  /** Which of the client's sequences, where the vendor says. */
  readonly sequence?: string;
}

export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  /** UTF-8; absent where the vendor does not say. */
  readonly bytes?: readonly number[];
  readonly alternatives: readonly Omit<TokenLogprob, 'alternatives'>[];
}

export interface Choice {
  /** In the order in which the model wrote them. */
  readonly parts: readonly AssistantPart[];
  readonly stop: Stop;
  readonly logprobs?: readonly TokenLogprob[];
}

export interface ChatAnswer {
  /** The vendor's id of the answer; empty where it gives none. */
  readonly id: string;
  /** The vendor's name of the model that answered; empty where it does not say. */
  readonly model: string;
  readonly choices: readonly Choice[];
  /** Absent where it cannot be believed. */
  readonly usage: ReportedUsage | undefined;
}

/**
 * A streamed answer in pieces. `start` comes first and once. A part begins with its first piece and ends where a piece of
 * another part of its choice begins, so every decoder gives the pieces of one choice in order; a `signature` belongs to
 * the reasoning, text or call just before it. `tool_call` comes before the pieces of its arguments, whose JSON text is
 * empty where the call has none. `end` comes last, and only where the vendor said that the answer is complete.
 */
export type ChatEvent =
  | { readonly kind: 'start'; readonly id: string; readonly model: string }
  | { readonly kind: 'text'; readonly choice: number; readonly text: string }
  | { readonly kind: 'refusal'; readonly choice: number; readonly text: string }
  | { readonly kind: 'reasoning'; readonly choice: number; readonly text: string }
  | {
      readonly kind: 'signature';
      readonly choice: number;
      readonly signature: Signature;
      /** A part of its own: reasoning that the vendor has encrypted whole. */
      readonly isRedacted?: boolean;
    }
  | {
      readonly kind: 'tool_call';
      readonly choice: number;
      readonly id: string;
      readonly name: string;
      readonly signature?: Signature;
    }
  | { readonly kind: 'tool_arguments'; readonly choice: number; readonly json: string }
  | { readonly kind: 'logprobs'; readonly choice: number; readonly tokens: readonly TokenLogprob[] }
  | { readonly kind: 'stop'; readonly choice: number; readonly stop: Stop }
  | { readonly kind: 'usage'; readonly usage: ReportedUsage }
  /** The vendor broke off. Nothing follows; what the client is told is not the vendor's text. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'end' };
