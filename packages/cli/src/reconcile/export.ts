/** A provider's own account of what was used: rows of a usage export, whatever form it came in. */

export const EXPORT_PROVIDERS = ['openai', 'anthropic'] as const;
export type ExportProvider = (typeof EXPORT_PROVIDERS)[number];

/** What one model used with one of the provider's keys in a stretch of time. */
export interface ExportRow {
  /** Milliseconds since 1970; the stretch takes in its start and not its end. */
  readonly startMs: number;
  readonly endMs: number;
  readonly model: string;
  /** The provider's id or name of its key; absent where the export does not tell keys apart. */
  readonly key: string | undefined;
  /** Tokens of input in all, with what was read from a cache and written to one. */
  readonly input: bigint;
  readonly cachedInput: bigint;
  readonly output: bigint;
}

/** The file is no export that is known, or not whole. The message is a sentence for people. */
export class ExportError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExportError';
  }
}

export const DAY_MS = 86_400_000;

/** A count as an export writes it: a whole number, or nothing where there was none. */
export function readCount(value: unknown, where: string): bigint {
  if (value === undefined || value === null || value === '') return 0n;
  const text = typeof value === 'number' ? String(value) : value;
  // Some tools that rewrite tables make whole numbers into decimals.
  const whole = typeof text === 'string' ? /^([0-9]{1,18})(?:\.0+)?$/.exec(text)?.[1] : undefined;
  if (whole === undefined) throw new ExportError(`${where} is no count: ${JSON.stringify(value)}.`);
  return BigInt(whole);
}

export function readText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function readStart(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value * 1_000;
  const text = typeof value === 'string' ? value : '';
  const ms = /^[0-9]{9,11}$/.test(text) ? Number(text) * 1_000 : Date.parse(text);
  if (Number.isNaN(ms)) throw new ExportError(`${where} is no time: ${JSON.stringify(value)}.`);
  return ms;
}
