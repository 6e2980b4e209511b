/** Responsible for what the sandbox needs of a call: the texts that went in, the text to echo, and the limits on output. */
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import type { Endpoint, ModelCall } from '../provider.ts';

/** OpenAI's own limit on `n`. */
const CHOICES_MAX = 128;
const DIMENSIONS_DEFAULT = 64;
const DIMENSIONS_MAX = 3072;
const INPUTS_MAX = 2048;

export interface Prompt {
  /** Every text that counts as input, in order. */
  readonly inputs: readonly string[];
  readonly echoed: string;
  readonly choices: number;
  readonly outputTokensMax: number | undefined;
  readonly dimensions: number;
  readonly encoding: 'float' | 'base64';
}

/** A field that the sandbox cannot take. */
export interface Refusal {
  readonly param: string;
  readonly message: string;
}

export function readPrompt(endpoint: Endpoint, scan: JsonObjectScan): Prompt | Refusal {
  const inputs = endpoint === 'chat.completions' ? readMessages(scan) : readInputs(endpoint, scan);
  if ('param' in inputs) return inputs;
  const choices = readCount(scan, 'n', { min: 1, max: CHOICES_MAX }) ?? 1;
  const newer = readCount(scan, 'max_completion_tokens', { min: 1, max: Number.MAX_SAFE_INTEGER });
  const older = readCount(scan, 'max_tokens', { min: 1, max: Number.MAX_SAFE_INTEGER });
  const dimensions = readCount(scan, 'dimensions', { min: 1, max: DIMENSIONS_MAX }) ?? DIMENSIONS_DEFAULT;
  for (const count of [choices, newer, older, dimensions]) {
    if (typeof count === 'object') return count;
  }
  const limits = [newer, older].filter((limit) => typeof limit === 'number');
  return {
    ...inputs,
    choices: choices as number,
    outputTokensMax: limits.length === 0 ? undefined : Math.min(...limits),
    dimensions: dimensions as number,
    encoding: readJson(scan, 'encoding_format') === 'base64' ? 'base64' : 'float',
  };
}

/** What a call in Anthropic's dialect brings: one answer, and a limit that is required unless the gateway has set one. */
export type MessagesPrompt = Pick<Prompt, 'inputs' | 'echoed' | 'outputTokensMax'>;

export function readMessagesPrompt({ endpoint, scan, outputTokensCap }: ModelCall): MessagesPrompt | Refusal {
  const inputs = readMessages(scan);
  if ('param' in inputs) return inputs;
  const limit = readCount(scan, 'max_tokens', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? outputTokensCap;
  if (typeof limit === 'object') return limit;
  if (limit === undefined && endpoint === 'messages') {
    return { param: 'max_tokens', message: 'max_tokens is required.' };
  }
  const system = textOf(readJson(scan, 'system'));
  return { ...inputs, inputs: [system, ...inputs.inputs], outputTokensMax: limit };
}

type Inputs = Pick<Prompt, 'inputs' | 'echoed'>;

function readMessages(scan: JsonObjectScan): Inputs | Refusal {
  const messages = readJson(scan, 'messages');
  if (!Array.isArray(messages) || messages.length === 0) {
    return { param: 'messages', message: 'messages must be a list of at least one message.' };
  }
  const inputs: string[] = [];
  let echoed = '';
  for (const message of messages as unknown[]) {
    const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
    const text = textOf(content);
    inputs.push(text);
    if (role === 'user') echoed = text;
  }
  return { inputs, echoed };
}

function readInputs(endpoint: Endpoint, scan: JsonObjectScan): Inputs | Refusal {
  const param = endpoint === 'embeddings' ? 'input' : 'prompt';
  const value = readJson(scan, param);
  const inputs: unknown[] = isListOf(value, 'string') ? value : [value];
  if (inputs.length > INPUTS_MAX || inputs.length === 0 || !isListOf(inputs, 'string')) {
    return { param, message: `The sandbox takes a text or a list of 1 to ${INPUTS_MAX} texts as ${param}.` };
  }
  return { inputs: inputs as string[], echoed: (inputs as string[]).join('') };
}

/** A text, or the text parts of a list joined; other parts have no text. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  let text = '';
  for (const part of content as unknown[]) {
    const { type, text: partText } = (part ?? {}) as { type?: unknown; text?: unknown };
    if (type === 'text' && typeof partText === 'string') text += partText;
  }
  return text;
}

function readCount(
  scan: JsonObjectScan,
  param: string,
  { min, max }: { readonly min: number; readonly max: number },
): number | Refusal | undefined {
  const value = readJson(scan, param);
  if (value === undefined || value === null) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  return { param, message: `${param} must be a whole number from ${min} to ${max}.` };
}

function isListOf(value: unknown, type: 'string'): value is unknown[] {
  return Array.isArray(value) && value.every((item) => typeof item === type);
}

function readJson(scan: JsonObjectScan, name: string): unknown {
  const span = scan.field(name);
  return span === undefined ? undefined : scan.readJson(span);
}
