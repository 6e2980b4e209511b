/**
 * Responsible for reading Gemini's `usageMetadata` into disjoint classes of tokens. `promptTokenCount` counts cached
 * tokens too; what tools read comes beside the prompt, and thoughts beside the candidates: `totalTokenCount` is the sum of
 * those four (`UsageMetadata` in Google's own client, `@google/genai`). A count of zero is left out on the wire, so it is
 * the total that tells zero from unknown. The details (`promptTokensDetails` and the like) tell modalities apart.
 */
import { JsonRefusal, type JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import { mayHaveValue } from '../event-stream.ts';
import type { Endpoint, ReportedUsage, UsageReading } from '../provider.ts';
import { type MediaTokens, readModalities } from './modalities.ts';
import {
  fieldsOf,
  findCountProblem,
  presentClasses,
  problemOfRefusal,
  readUsageObject,
  USAGE_MISSING,
} from '../strict-usage.ts';

/** Reads the usage of a complete body that was not streamed. Counting tokens uses none. */
export function readBodyUsage(endpoint: Endpoint, body: Buffer): UsageReading {
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal) return { problem: problemOfRefusal(scan) };
  if (endpoint === 'countTokens') return { usage: NOTHING };
  const span = scan.field('usageMetadata');
  if (span === undefined) return USAGE_MISSING;
  if (EMBEDS.has(endpoint)) return mapEmbeddingUsage(scan.readJson(span));
  const reading = mapUsage(scan.readJson(span));
  return hasSearched(scan) ? chargeSearches(reading) : reading;
}

/** Reads a parsed `usageMetadata` value of generated content. */
export function mapUsage(usage: unknown): UsageReading {
  const fields = readUsageObject(usage);
  if (typeof fields === 'string') return { problem: fields };
  const counts = {
    prompt: fields['promptTokenCount'],
    total: fields['totalTokenCount'],
    cached: fields['cachedContentTokenCount'] ?? 0,
    toolUse: fields['toolUsePromptTokenCount'] ?? 0,
    candidates: fields['candidatesTokenCount'] ?? 0,
    thoughts: fields['thoughtsTokenCount'] ?? 0,
  };
  const problem = findCountProblem(counts);
  if (problem !== undefined) return { problem };
  const { prompt, total, cached, toolUse, candidates, thoughts } = counts as Counts;
  // Any other total means tokens that no count has, or counts that no total has.
  if (total !== prompt + toolUse + candidates + thoughts || cached > prompt) return { problem: 'malformed' };
  const input = readModalities(fields['promptTokensDetails'], prompt);
  const inCache = readModalities(fields['cacheTokensDetails'], cached);
  const fromTools = readModalities(fields['toolUsePromptTokensDetails'], toolUse);
  const output = readModalities(fields['candidatesTokensDetails'], candidates);
  for (const each of [input, inCache, fromTools, output])
    if (typeof each === 'string') return { problem: each };
  const mapped = toDisjoint({ input, inCache, fromTools, output } as Modalities, counts as Counts);
  if (mapped === undefined) return { problem: 'malformed' };
  return isPlainTier(fields['serviceTier'])
    ? { usage: mapped }
    : { usage: mapped, unpriced: ['priority_tier'] };
}

/** True for `groundingMetadata` of an answer that took searches, which are charged by the piece. */
export function tookSearches(grounding: unknown): boolean {
  const fields = fieldsOf(grounding) ?? {};
  const chunks = fields['groundingChunks'];
  return (
    SEARCHES.some((field) => Array.isArray(fields[field]) && fields[field].length > 0) ||
    (Array.isArray(chunks) && chunks.some((chunk) => fieldsOf(chunk)?.['maps'] !== undefined))
  );
}

export function chargeSearches(reading: UsageReading): UsageReading {
  return 'problem' in reading
    ? reading
    : { ...reading, unpriced: ['web_search', ...(reading.unpriced ?? [])] };
}

interface Counts {
  readonly prompt: number;
  readonly total: number;
  readonly cached: number;
  readonly toolUse: number;
  readonly candidates: number;
  readonly thoughts: number;
}

interface Modalities {
  readonly input: MediaTokens;
  readonly inCache: MediaTokens;
  readonly fromTools: MediaTokens;
  readonly output: MediaTokens;
}

/** The prompt's details count what was cached, too, as its total does. `undefined` when the details contradict each other. */
function toDisjoint(media: Modalities, counts: Counts): ReportedUsage | undefined {
  const { input, inCache, fromTools, output } = media;
  const { prompt, cached, toolUse, candidates, thoughts } = counts;
  const audio = input.audio - inCache.audio + fromTools.audio;
  const images = input.image - inCache.image + fromTools.image;
  if (input.audio < inCache.audio || input.image < inCache.image) return undefined;
  const inputTokens = prompt - cached + toolUse - audio - images;
  if (inputTokens < 0) return undefined;
  return {
    inputTokens,
    cachedInputTokens: cached - inCache.audio,
    cacheWriteTokens: 0,
    outputTokens: candidates - output.audio - output.image,
    reasoningTokens: thoughts,
    ...presentClasses({
      audioInputTokens: audio,
      cachedAudioInputTokens: inCache.audio,
      imageInputTokens: images,
      audioOutputTokens: output.audio,
      imageOutputTokens: output.image,
    }),
  };
}

/** `EmbeddingUsageMetadata`: the prompt alone. Older models report nothing. */
function mapEmbeddingUsage(usage: unknown): UsageReading {
  const fields = readUsageObject(usage);
  if (typeof fields === 'string') return { problem: fields };
  const prompt = fields['promptTokenCount'];
  const total = fields['totalTokenCount'] ?? prompt;
  const problem = findCountProblem({ prompt, total });
  if (problem !== undefined) return { problem };
  if (total !== prompt) return { problem: 'malformed' };
  const media = readModalities(fields['promptTokenDetails'], prompt as number);
  if (typeof media === 'string') return { problem: media };
  const { audio, image, video } = media;
  const mapped = {
    ...NOTHING,
    inputTokens: (prompt as number) - audio - image,
    ...presentClasses({ audioInputTokens: audio, imageInputTokens: image }),
  };
  // Where a video is read it costs what text does; where it is embedded it has a price of its own.
  return video > 0 ? { usage: mapped, unpriced: ['video'] } : { usage: mapped };
}

/** Looks without parsing first: an answer may hold pictures. */
function hasSearched(scan: JsonObjectScan): boolean {
  if (!mayHaveValue(scan.body, GROUNDING_KEY)) return false;
  const span = scan.field('candidates');
  const candidates: unknown = span === undefined ? undefined : scan.readJson(span);
  return (
    Array.isArray(candidates) &&
    candidates.some((candidate) => tookSearches(fieldsOf(candidate)?.['groundingMetadata']))
  );
}

/** What the call was served at. Flex costs less than the standard price, everything unknown may cost more. */
function isPlainTier(tier: unknown): boolean {
  if (tier === undefined || tier === null) return true;
  return typeof tier === 'string' && PLAIN_TIER.test(tier);
}

const EMBEDS: ReadonlySet<Endpoint> = new Set<Endpoint>(['embedContent', 'batchEmbedContents']);
const PLAIN_TIER = /^(?:SERVICE_TIER_)?(?:UNSPECIFIED|STANDARD|FLEX)$/i;
const SEARCHES = ['webSearchQueries', 'imageSearchQueries'] as const;
const GROUNDING_KEY = Buffer.from('"groundingMetadata"');

const NOTHING: ReportedUsage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};
