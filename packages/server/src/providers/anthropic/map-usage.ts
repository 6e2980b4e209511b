/**
 * Responsible for reading Anthropic's `usage` object into disjoint classes of tokens. Its input classes are disjoint
 * already, but cache writes count those of either lifetime, and `output_tokens` counts thinking. In a stream usage comes
 * in parts, each of which repeats what it knows as a running total.
 */
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import type { Endpoint, ReportedUsage, UnpricedCharge, UsageReading } from '../provider.ts';
import {
  type Fields,
  fieldsOf,
  findCountProblem,
  problemOfRefusal,
  readUsageField,
  readUsageObject,
} from '../strict-usage.ts';

/** Reads the usage of a complete body that was not streamed. Counting tokens uses none. */
export function readBodyUsage(endpoint: Endpoint, body: Buffer): UsageReading {
  if (endpoint !== 'messages.count_tokens') return readUsageField(body, 'usage', mapUsage);
  const scan = scanJsonObject(body);
  return scan instanceof JsonRefusal ? { problem: problemOfRefusal(scan) } : { usage: NOTHING };
}

/** Reads a parsed `usage` value. */
export function mapUsage(reported: unknown): UsageReading {
  const fields = readUsageObject(reported);
  if (typeof fields === 'string') return { problem: fields };
  const writes = fieldsOf(fields['cache_creation'] ?? {});
  const outputDetails = fieldsOf(fields['output_tokens_details'] ?? {});
  const serverTools = fieldsOf(fields['server_tool_use'] ?? {});
  if (writes === undefined || outputDetails === undefined || serverTools === undefined) {
    return { problem: 'malformed' };
  }
  const counts = {
    input: fields['input_tokens'],
    output: fields['output_tokens'],
    cached: fields['cache_read_input_tokens'] ?? 0,
    written: fields[WRITES] ?? 0,
    longWritten: writes[LONG_WRITES] ?? 0,
    shortWritten: writes[SHORT_WRITES] ?? 0,
    thinking: outputDetails['thinking_tokens'] ?? 0,
    searches: serverTools['web_search_requests'] ?? 0,
  };
  const problem = hasHiddenTokens(fields['iterations']) ? 'malformed' : findCountProblem(counts);
  if (problem !== undefined) return { problem };
  const { searches, ...tokens } = counts as Counts;
  const hasSplit = typeof writes[SHORT_WRITES] === 'number';
  const usage = toDisjoint(
    hasSplit ? tokens : { ...tokens, shortWritten: tokens.written - tokens.longWritten },
  );
  if (usage === undefined) return { problem: 'malformed' };
  const unpriced = findUnpriced(fields, searches);
  return unpriced.length === 0 ? { usage } : { usage, unpriced };
}

/**
 * What is known once `later` has come, the usage object of a stream's next event. A count that it leaves out stands; one
 * that it has is a running total and replaces the earlier. Keeps only the fields that `mapUsage` reads.
 */
export function mergeUsage(earlier: Fields, later: Fields): Fields {
  const merged: Record<string, unknown> = {};
  for (const field of FIELDS_READ) {
    const value = later[field] ?? earlier[field];
    if (value !== undefined) merged[field] = value;
  }
  // A stream tells the lifetimes of cache writes at its start alone. What is written later is what server tools brought,
  // and that is always short-lived ("Tool use with prompt caching", platform.claude.com).
  const hasChanged = merged[WRITES] !== earlier[WRITES];
  const writesAtStart = fieldsOf(earlier['cache_creation']);
  if (hasChanged && writesAtStart !== undefined && (later['cache_creation'] ?? undefined) === undefined) {
    merged['cache_creation'] = { [LONG_WRITES]: writesAtStart[LONG_WRITES] };
  }
  return merged;
}

interface Counts {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly written: number;
  readonly longWritten: number;
  readonly shortWritten: number;
  readonly thinking: number;
  readonly searches: number;
}

/** `undefined` when the counts contradict each other. */
function toDisjoint(counts: Omit<Counts, 'searches'>): ReportedUsage | undefined {
  const { input, output, cached, written, longWritten, shortWritten, thinking } = counts;
  if (shortWritten < 0 || shortWritten + longWritten !== written || thinking > output) return undefined;
  return {
    inputTokens: input,
    cachedInputTokens: cached,
    cacheWriteTokens: shortWritten,
    longCacheWriteTokens: longWritten,
    outputTokens: output - thinking,
    reasoningTokens: thinking,
  };
}

/** The totals count the message's own turns; a turn of another kind, such as compaction, is billed beside them. */
function hasHiddenTokens(iterations: unknown): boolean {
  return Array.isArray(iterations) && iterations.some((turn) => fieldsOf(turn)?.['type'] !== 'message');
}

function findUnpriced(usage: Fields, searches: number): UnpricedCharge[] {
  const found: UnpricedCharge[] = searches > 0 ? ['web_search'] : [];
  for (const { field, plain, charge } of WAYS_OF_SERVING) {
    const value = usage[field] ?? undefined;
    if (value !== undefined && !plain.includes(value)) found.push(charge);
  }
  return found;
}

const WRITES = 'cache_creation_input_tokens';
const SHORT_WRITES = 'ephemeral_5m_input_tokens';
const LONG_WRITES = 'ephemeral_1h_input_tokens';

/** How a call was served, and the values that leave its prices as they are. A model without regions says `not_available`. */
const WAYS_OF_SERVING: readonly {
  readonly field: string;
  readonly plain: readonly unknown[];
  readonly charge: UnpricedCharge;
}[] = [
  { field: 'speed', plain: ['standard'], charge: 'fast_mode' },
  { field: 'service_tier', plain: ['standard'], charge: 'priority_tier' },
  { field: 'inference_geo', plain: ['global', 'not_available'], charge: 'inference_region' },
];

const FIELDS_READ: readonly string[] = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  WRITES,
  'cache_creation',
  'output_tokens_details',
  'server_tool_use',
  'iterations',
  ...WAYS_OF_SERVING.map(({ field }) => field),
];

const NOTHING: ReportedUsage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};
