/**
 * Responsible for the `usage` of OpenAI's newer endpoints (`ResponseUsage` and the like in its own client, `openai`), which
 * counts `input_tokens` and `output_tokens`. The former count what was cached or written to a cache, too, the latter
 * reasoning; details tell text, audio and images apart.
 */
import type { Endpoint, ReportedUsage, UsageReading } from '../provider.ts';
import { type Fields, fieldsOf, findCountProblem, presentClasses, readUsageObject } from '../strict-usage.ts';

/** True where an answer may be text alone, such as subtitles, with no place for a usage. */
export function mayBeText(endpoint: Endpoint): boolean {
  return TRANSCRIBES.has(endpoint);
}

/** True for the endpoints that count so; the older ones count `prompt_tokens`. */
export function countsByTokens(endpoint: Endpoint): boolean {
  return BY_TOKENS.has(endpoint);
}

const TRANSCRIBES: ReadonlySet<Endpoint> = new Set<Endpoint>(['audio.transcriptions', 'audio.translations']);
const BY_TOKENS: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'responses',
  'images.generations',
  'audio.speech',
  ...TRANSCRIBES,
]);

/** Reads a parsed `usage` value. What is billed by the second of sound has no tokens, and so no usage here. */
export function mapTokenUsage(endpoint: Endpoint, usage: unknown): UsageReading {
  const fields = readUsageObject(usage);
  if (typeof fields === 'string') return { problem: fields };
  const input = readDetails(fields, ['input_tokens_details', 'input_token_details']);
  const output = readDetails(fields, ['output_tokens_details', 'output_token_details']);
  const writes = fieldsOf(input?.['cache_write_tokens_details'] ?? {});
  if (input === undefined || output === undefined || writes === undefined) return { problem: 'malformed' };
  const counts = {
    total: fields['total_tokens'] ?? 0,
    input: fields['input_tokens'],
    output: fields['output_tokens'],
    cached: input['cached_tokens'] ?? 0,
    written: input['cache_write_tokens'] ?? 0,
    longWritten: writes['ttl_12h_tokens'] ?? 0,
    heard: input['audio_tokens'] ?? 0,
    read: input['text_tokens'] ?? 0,
    seen: input['image_tokens'] ?? 0,
    reasoning: output['reasoning_tokens'] ?? 0,
    spoken: output['audio_tokens'] ?? 0,
    drawn: output['image_tokens'] ?? 0,
    worded: output['text_tokens'] ?? 0,
  };
  const problem = findCountProblem(counts);
  if (problem !== undefined) return { problem };
  const mapped = toDisjoint(withMedium(endpoint, counts as Counts));
  return mapped === undefined ? { problem: 'malformed' } : { usage: mapped };
}

interface Counts {
  readonly total: number;
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly written: number;
  readonly longWritten: number;
  readonly heard: number;
  readonly read: number;
  readonly seen: number;
  readonly reasoning: number;
  readonly spoken: number;
  readonly drawn: number;
  readonly worded: number;
}

/** The name differs by a letter between endpoints. */
function readDetails(usage: Fields, names: readonly string[]): Fields | undefined {
  const name = names.find((each) => (usage[each] ?? undefined) !== undefined);
  return name === undefined ? {} : fieldsOf(usage[name]);
}

/** Where an endpoint hears or makes one medium, and the details do not say otherwise, all of it is of that. */
function withMedium(endpoint: Endpoint, counts: Counts): Counts {
  const { input, heard, read, output, spoken, drawn, worded } = counts;
  if (TRANSCRIBES.has(endpoint)) return heard + read > 0 ? counts : { ...counts, heard: input };
  if (spoken + drawn + worded > 0) return counts;
  if (endpoint === 'images.generations') return { ...counts, drawn: output };
  return endpoint === 'audio.speech' ? { ...counts, spoken: output } : counts;
}

/** `undefined` when the counts contradict each other. */
function toDisjoint(counts: Counts): ReportedUsage | undefined {
  const { total, input, output, cached, written, longWritten, heard, seen, reasoning, spoken, drawn } =
    counts;
  // Which of the cached tokens were media is not told, and no model that caches here takes audio.
  const inputTokens = input - cached - written - heard - seen;
  const outputTokens = output - reasoning - spoken - drawn;
  if (inputTokens < 0 || outputTokens < 0 || longWritten > written || total > input + output)
    return undefined;
  return {
    inputTokens,
    cachedInputTokens: cached,
    cacheWriteTokens: written - longWritten,
    ...(longWritten > 0 ? { longCacheWriteTokens: longWritten } : {}),
    outputTokens,
    reasoningTokens: reasoning,
    ...presentClasses({
      audioInputTokens: heard,
      imageInputTokens: seen,
      audioOutputTokens: spoken,
      imageOutputTokens: drawn,
    }),
  };
}
