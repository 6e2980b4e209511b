/** Test support: what every client of the matrix can be told to do, whatever its vendor calls it. */
import type { Fields } from '../../stand-ins/strict.ts';
import type { Tokens } from '../../stand-ins/vendor.ts';

export interface Ask {
  readonly model: string;
  readonly prompt: string;
  readonly system?: string;
  /** Beside the prompt: `IMAGE` itself, or where one is. */
  readonly image?: 'inline' | 'address';
  /** With the one tool that there is, `WEATHER`. */
  readonly hasTool?: boolean;
  /** An answer that follows `SCHEMA`. */
  readonly hasSchema?: boolean;
  /** Set as an effort or as a budget of tokens, whichever of these the client has. */
  readonly reasoning?: 'effort' | 'budget';
  readonly limit?: number;
  readonly stop?: string;
  readonly streamed?: boolean;
}

export interface Told {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly name: string; readonly args: unknown }[];
  /** In the client's own words. */
  readonly stop: string | null | undefined;
  /** Read out of the client's own shape. */
  readonly tokens: Tokens;
  /** Goes on with the whole answer as the client was given it, and the results of its calls in their order. */
  answer(...results: readonly string[]): Promise<Told>;
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly param: string;
  readonly message: string;
}

export type NeutralStop = 'end' | 'length' | 'sequence' | 'calls';

export interface Client {
  ask(ask: Ask): Promise<Told>;
  readonly embed?: (model: string, texts: readonly string[]) => Promise<readonly (readonly number[])[]>;
  readonly countTokens?: (model: string, prompt: string) => Promise<number>;
}

export interface ClientKind {
  /** As documentation names it. */
  readonly name: string;
  /** What it cannot be told, or does by itself. */
  readonly lacks: readonly string[];
  connect(url: string, apiKey: string): Client;
  readonly stopWords: Readonly<Record<NeutralStop, string>>;
  /** The tokens as far as its shape tells their classes apart. */
  fold(tokens: Tokens): Tokens;
  /** How a tool's result reads at a vendor that is not the client's own. */
  resultText(result: string): string;
  /** `undefined` for what is no error of the server's in the shape of this client's vendor. */
  readRefusal(error: unknown): Refusal | undefined;
}

/** One white pixel. */
export const IMAGE =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
export const IMAGE_URL = 'https://images.example/pixel.png';

export const WEATHER = {
  name: 'weather',
  description: 'The weather of a city.',
  schema: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
} as const;

export const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' }, population: { type: 'integer' } },
  required: ['city', 'population'],
  additionalProperties: false,
} as const;

export const BUDGET = 1_024;
/** Where a client must say one, and the test is not about it. */
export const LIMIT = 2_000;

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** Of OpenAI's and Anthropic's error objects. */
export function readError(status: number | undefined, error: unknown): Refusal | undefined {
  const { code, param, message } = fieldsOf(error);
  if (status === undefined || typeof code !== 'string' || typeof message !== 'string') return undefined;
  return { status, code, param: typeof param === 'string' ? param : '', message };
}

/** Of Google's. */
export function readGoogleError(status: number | undefined, body: unknown): Refusal | undefined {
  const { message, details } = fieldsOf(fieldsOf(body)['error']);
  const [info] = Array.isArray(details) ? (details as readonly unknown[]).map(fieldsOf) : [];
  const { param } = fieldsOf(info?.['metadata']);
  return readError(status, { code: info?.['reason'], param, message });
}
