/**
 * Responsible for how strictly every vendor's usage is read. Nothing is ever repaired: a count that is not a whole number
 * of zero or more makes the whole usage a problem, and so does a body that two parsers may read differently.
 */
import { JsonRefusal, type JsonRefusalReason, scanJsonObject } from '../kernel/json-scan.ts';
import type { ReportedUsage, UsageProblem, UsageReading } from './provider.ts';

export type Fields = Readonly<Record<string, unknown>>;

export const USAGE_MISSING: UsageReading = { problem: 'missing' };

/** Reads the top-level field of a complete body that holds the usage. */
export function readUsageField(
  body: Buffer,
  field: string,
  map: (usage: unknown) => UsageReading,
): UsageReading {
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal) return { problem: problemOfRefusal(scan) };
  const usage = scan.field(field);
  return usage === undefined ? USAGE_MISSING : map(scan.readJson(usage));
}

/** What is wrong with a body that is no object for the strict scan. */
export function problemOfRefusal({ reason }: JsonRefusal): UsageProblem {
  return AMBIGUOUS.has(reason) ? 'malformed' : 'unreadable';
}

/** The usage object's fields, or what is wrong with it. */
export function readUsageObject(usage: unknown): Fields | UsageProblem {
  if (usage === undefined || usage === null) return 'missing';
  return fieldsOf(usage) ?? (typeof usage === 'object' ? 'malformed' : 'not_a_number');
}

/** The first thing that is wrong with the counts, each of which is required. */
export function findCountProblem(counts: Readonly<Record<string, unknown>>): UsageProblem | undefined {
  for (const count of Object.values(counts)) {
    const problem = problemOf(count);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The fields of an object; `undefined` for anything else. */
export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The classes of media that were used: few answers have any, and an absent class is none. */
export function presentClasses(classes: MediaClasses): MediaClasses {
  return Object.fromEntries(Object.entries(classes).filter(([, tokens]) => tokens > 0));
}

type MediaClasses = Pick<
  ReportedUsage,
  | 'audioInputTokens'
  | 'cachedAudioInputTokens'
  | 'imageInputTokens'
  | 'audioOutputTokens'
  | 'imageOutputTokens'
>;

function problemOf(count: unknown): UsageProblem | undefined {
  if (count === undefined || count === null) return 'missing';
  if (typeof count !== 'number') return 'not_a_number';
  if (!Number.isFinite(count)) return 'not_finite';
  if (count < 0) return 'negative';
  return Number.isSafeInteger(count) ? undefined : 'malformed';
}

/** Valid JSON that the strict scan refuses. */
const AMBIGUOUS: ReadonlySet<JsonRefusalReason> = new Set<JsonRefusalReason>([
  'duplicate_key',
  'forbidden_key',
  'lone_surrogate',
  'too_deep',
  'too_many_keys',
]);
