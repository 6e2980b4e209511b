/** What judges by the rules, on the audit thread, and the event loop, which holds the keys and writes, say to each other. */
import type { Finding, Rule, Sighting } from '../rule.ts';

export type Asked =
  /** Those that are on; `isFresh` where they are known to have changed. */
  | { readonly kind: 'rules'; readonly isFresh: boolean }
  | { readonly kind: 'fire'; readonly finding: Finding }
  | { readonly kind: 'remember'; readonly sightings: readonly Sighting[] }
  /** By node: everything up to there was judged, and what was found is stored. */
  | { readonly kind: 'advance'; readonly positions: ReadonlyMap<number, number> };

/** Answered by its number, once what is asked for is durable. */
export type JudgeRequest = Asked & { readonly id: number };

export type JudgeResponse =
  | { readonly kind: 'done'; readonly id: number }
  /** `undefined`: they are what they were when they were told last. */
  | { readonly kind: 'rules'; readonly id: number; readonly rules: readonly Rule[] | undefined }
  | { readonly kind: 'failed'; readonly id: number; readonly error: string }
  /** The rules have changed: to be asked for anew. */
  | { readonly kind: 'stale' };
