/**
 * Responsible for reading OpenAI's `usage` object into disjoint classes of tokens. `prompt_tokens` counts cached,
 * cache-write, audio and image tokens too, `completion_tokens` counts reasoning, audio and images too.
 */
import type { Endpoint, UsageReading } from '../provider.ts';
import {
  fieldsOf,
  findCountProblem,
  presentClasses,
  readUsageField,
  readUsageObject,
  USAGE_MISSING,
} from '../strict-usage.ts';
import { countsByTokens, mapTokenUsage, mayBeText } from './token-usage.ts';

/** Reads the usage of a complete body that was not streamed. */
export function readBodyUsage(endpoint: Endpoint, body: Buffer): UsageReading {
  if (SOUNDS.has(endpoint)) return USAGE_MISSING;
  const reading = readUsageField(body, 'usage', (usage) => mapUsage(endpoint, usage));
  const isText = 'problem' in reading && reading.problem === 'unreadable' && mayBeText(endpoint);
  return isText ? USAGE_MISSING : reading;
}

/** What sounds has no place for a usage. */
export const SOUNDS: ReadonlySet<Endpoint> = new Set<Endpoint>(['audio.speech']);

const INPUT_ALONE: ReadonlySet<Endpoint> = new Set<Endpoint>(['embeddings', 'moderations']);

/** Reads a parsed `usage` value. Embeddings and moderations have input only; elsewhere `completion_tokens` is required. */
export function mapUsage(endpoint: Endpoint, usage: unknown): UsageReading {
  if (countsByTokens(endpoint)) return mapTokenUsage(endpoint, usage);
  const input = readUsageObject(usage);
  if (typeof input === 'string') return { problem: input };
  const inputDetails = fieldsOf(input['prompt_tokens_details'] ?? {});
  const outputDetails = fieldsOf(input['completion_tokens_details'] ?? {});
  if (inputDetails === undefined || outputDetails === undefined) return { problem: 'malformed' };

  const counts = {
    total: input['total_tokens'] ?? 0,
    prompt: input['prompt_tokens'],
    completion: input['completion_tokens'] ?? (INPUT_ALONE.has(endpoint) ? 0 : undefined),
    cached: inputDetails['cached_tokens'] ?? 0,
    cacheWrite: inputDetails['cache_write_tokens'] ?? 0,
    heard: inputDetails['audio_tokens'] ?? 0,
    seen: inputDetails['image_tokens'] ?? 0,
    reasoning: outputDetails['reasoning_tokens'] ?? 0,
    spoken: outputDetails['audio_tokens'] ?? 0,
    drawn: outputDetails['image_tokens'] ?? 0,
  };
  const problem = findCountProblem(counts);
  return problem === undefined ? toDisjoint(counts as Counts) : { problem };
}

interface Counts {
  readonly total: number;
  readonly prompt: number;
  readonly completion: number;
  readonly cached: number;
  readonly cacheWrite: number;
  readonly heard: number;
  readonly seen: number;
  readonly reasoning: number;
  readonly spoken: number;
  readonly drawn: number;
}

function toDisjoint(counts: Counts): UsageReading {
  const { total, prompt, completion, cached, cacheWrite, heard, seen, reasoning, spoken, drawn } = counts;
  // Some servers count reasoning beside the completion and only the total tells. A total that nothing explains means
  // tokens that no count has, and those would be given away.
  const isReasoningApart = reasoning > 0 && total === prompt + completion + reasoning;
  if (total > prompt + completion && !isReasoningApart) return { problem: 'malformed' };
  // Which of the cached tokens were media is not told: as few as can be, and images before audio, since what was not
  // cached of them costs most.
  const cachedAudio = Math.max(0, cached + cacheWrite + heard - prompt);
  const cachedImages = Math.max(0, cached - cachedAudio + cacheWrite + heard + seen - prompt);
  const inputTokens = prompt - heard - seen - (cached - cachedAudio - cachedImages) - cacheWrite;
  const outputTokens = (isReasoningApart ? completion : completion - reasoning) - spoken - drawn;
  const isExplained = cachedAudio <= heard && cachedImages <= seen && cachedAudio + cachedImages <= cached;
  if (inputTokens < 0 || outputTokens < 0 || !isExplained) return { problem: 'malformed' };
  return {
    usage: {
      inputTokens,
      cachedInputTokens: cached - cachedAudio,
      cacheWriteTokens: cacheWrite,
      outputTokens,
      reasoningTokens: reasoning,
      ...presentClasses({
        audioInputTokens: heard - cachedAudio,
        cachedAudioInputTokens: cachedAudio,
        imageInputTokens: seen - cachedImages,
        audioOutputTokens: spoken,
        imageOutputTokens: drawn,
      }),
    },
  };
}
