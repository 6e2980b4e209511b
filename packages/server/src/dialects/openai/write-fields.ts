/** Responsible for the fields that a whole answer to a client of chat completions and its streamed chunks have in common. */
import type { ReportedUsage } from '../../providers/provider.ts';
import type { StopReason, TokenLogprob } from '../chat.ts';
import { foldMedia } from '../fold-media.ts';

/** OpenAI's sums: the prompt counts what was cached and what was written to a cache, the completion counts reasoning. */
export function writeUsage(usage: ReportedUsage): object {
  const { input, cached, written, longWritten, output, reasoning } = foldMedia(usage);
  const prompt = input + cached + written + longWritten;
  const completion = output + reasoning;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written + longWritten },
    completion_tokens_details: { reasoning_tokens: reasoning },
  };
}

/** A refusal is told by its words; a vendor that refuses without any is told like a filter, or nobody would notice. */
export function writeStop(reason: StopReason, hasRefusalText: boolean): string {
  if (reason === 'refusal') return hasRefusalText ? 'stop' : 'content_filter';
  return STOP_WORDS[reason];
}

const STOP_WORDS: Readonly<Record<Exclude<StopReason, 'refusal'>, string>> = {
  end: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  filter: 'content_filter',
};

export function writeLogprobs(tokens: readonly TokenLogprob[] | undefined): object | null {
  if (tokens === undefined) return null;
  const content = tokens.map(({ alternatives, ...token }) => ({
    ...writeToken(token),
    top_logprobs: alternatives.map((alternative) => writeToken(alternative)),
  }));
  return { content, refusal: null };
}

function writeToken({ token, logprob, bytes }: Omit<TokenLogprob, 'alternatives'>): object {
  return { token, logprob, bytes: bytes ?? null };
}
