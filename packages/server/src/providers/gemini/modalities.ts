/**
 * Responsible for Gemini's token counts by modality (`ModalityTokenCount` in Google's own client, `@google/genai`). Text,
 * documents and what is not specified are counted as text.
 */
import type { UsageProblem } from '../provider.ts';
import { fieldsOf, findCountProblem } from '../strict-usage.ts';

export interface MediaTokens {
  readonly audio: number;
  readonly image: number;
  readonly video: number;
}

/** Reads a list of details, which may be left out, of a count that it takes apart. No part may be more than the whole. */
export function readModalities(details: unknown, whole: number): MediaTokens | UsageProblem {
  if (details === undefined || details === null) return NONE;
  if (!Array.isArray(details)) return 'malformed';
  const media = { audio: 0, image: 0, video: 0 };
  for (const detail of details as readonly unknown[]) {
    const fields = fieldsOf(detail);
    if (fields === undefined) return 'malformed';
    // A count of zero is left out on the wire.
    const tokens = fields['tokenCount'] ?? 0;
    const problem = findCountProblem({ tokens });
    if (problem !== undefined) return problem;
    const medium = MEDIA.get(fields['modality']);
    if (medium !== undefined) media[medium] += tokens as number;
  }
  return media.audio + media.image + media.video > whole ? 'malformed' : media;
}

const NONE: MediaTokens = { audio: 0, image: 0, video: 0 };

const MEDIA: ReadonlyMap<unknown, keyof MediaTokens> = new Map<unknown, keyof MediaTokens>([
  ['AUDIO', 'audio'],
  ['IMAGE', 'image'],
  ['VIDEO', 'video'],
]);
