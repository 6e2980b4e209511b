/**
 * Responsible for reading OpenAI's own usage. The classes are those of every compatible server. What was predicted and not
 * used is in them; how the call was served stands beside the usage and may multiply every price.
 */
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import { mapUsage as mapCompatible, SOUNDS } from '../openai-compatible/map-usage.ts';
import { mayBeText } from '../openai-compatible/token-usage.ts';
import type { Endpoint, ReportedUsage, UsageReading } from '../provider.ts';
import { type Fields, fieldsOf, findCountProblem, problemOfRefusal, USAGE_MISSING } from '../strict-usage.ts';

/** Reads the usage of a complete body that was not streamed. */
export function readBodyUsage(endpoint: Endpoint, body: Buffer): UsageReading {
  if (SOUNDS.has(endpoint)) return USAGE_MISSING;
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal)
    return mayBeText(endpoint) ? USAGE_MISSING : { problem: problemOfRefusal(scan) };
  // OpenAI charges nothing for moderations, and reports no usage of them.
  if (endpoint === 'moderations') return { usage: NOTHING };
  const [usage, tier] = ['usage', 'service_tier'].map((name) => {
    const span = scan.field(name);
    return span === undefined ? undefined : scan.readJson(span);
  });
  return mapUsage(endpoint, usage, { service_tier: tier });
}

/** `tier` is how the call was served, as the answer says. */
function chargeTier(reading: UsageReading, tier: unknown): UsageReading {
  return 'problem' in reading || isPlain(tier) ? reading : { ...reading, unpriced: ['priority_tier'] };
}

/** Reads a parsed `usage` value. `answer` is what it stood in. */
export function mapUsage(endpoint: Endpoint, usage: unknown, answer: Fields): UsageReading {
  const reading = mapCompatible(endpoint, usage);
  if ('problem' in reading) return reading;
  const fields = fieldsOf(usage) ?? {};
  const output = fieldsOf(fields['completion_tokens_details'] ?? {}) ?? {};
  const counts = {
    completion: fields['completion_tokens'] ?? 0,
    accepted: output['accepted_prediction_tokens'] ?? 0,
    rejected: output['rejected_prediction_tokens'] ?? 0,
  };
  const problem = findCountProblem(counts);
  if (problem !== undefined) return { problem };
  const { completion, accepted, rejected } = counts as Counts;
  if (accepted + rejected > completion) return { problem: 'malformed' };
  return chargeTier(reading, answer['service_tier']);
}

interface Counts {
  readonly completion: number;
  readonly accepted: number;
  readonly rejected: number;
}

/** Flex costs less than the standard price, which is charged; what scale costs was paid before. */
function isPlain(tier: unknown): boolean {
  return tier === undefined || tier === null || PLAIN_TIERS.has(tier);
}

const PLAIN_TIERS: ReadonlySet<unknown> = new Set(['auto', 'default', 'flex', 'scale']);

const NOTHING: ReportedUsage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};
