/** Responsible for `logprobsResult`: the chosen tokens, and beside each those that were likeliest. It has no bytes. */
import type { JsonObject, TokenLogprob } from '../chat.ts';
import { isObject } from '../reading.ts';

type Alternative = TokenLogprob['alternatives'][number];

/** None where any of it cannot be read: tokens with gaps between them would be others. */
export function readLogprobs(result: unknown): readonly TokenLogprob[] {
  if (!isObject(result)) return [];
  const chosen = readTokens(result['chosenCandidates']);
  const { topCandidates } = result;
  const tops = Array.isArray(topCandidates) ? (topCandidates as readonly unknown[]) : [];
  return (chosen ?? []).map((token, index) => {
    const top = tops[index];
    return { ...token, alternatives: (isObject(top) ? readTokens(top['candidates']) : undefined) ?? [] };
  });
}

export function writeLogprobs(tokens: readonly TokenLogprob[]): JsonObject {
  return {
    topCandidates: tokens.map(({ alternatives }) => ({ candidates: alternatives.map(writeToken) })),
    chosenCandidates: tokens.map(writeToken),
  };
}

function readTokens(list: unknown): readonly Alternative[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const tokens: Alternative[] = [];
  for (const item of list as readonly unknown[]) {
    const { token, logProbability } = isObject(item) ? item : {};
    if (typeof token !== 'string' || typeof logProbability !== 'number') return undefined;
    tokens.push({ token, logprob: logProbability });
  }
  return tokens;
}

function writeToken({ token, logprob }: Alternative): JsonObject {
  return { token, logProbability: logprob };
}
