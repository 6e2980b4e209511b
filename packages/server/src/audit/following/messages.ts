/** What the event loop and the audit thread say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { DatabasePlace } from '../../storage/reader.ts';
import type { Place } from '../place.ts';
import type { AuditFilter } from '../search/filter.ts';
import type { SearchPage, SearchQuery } from '../search/search-log.ts';
import type { StreamPiece } from './live-streams.ts';

/** Start-up facts of the thread. */
export interface AuditThreadSettings {
  readonly place: DatabasePlace;
  /** What judges by the rules speaks through it with the event loop. */
  readonly judging: MessagePort;
}

export type AuditRequest =
  | { readonly kind: 'search'; readonly id: number; readonly query: SearchQuery }
  /** `after`: the reader has had everything up to there; what comes from now on where it is absent. */
  | {
      readonly kind: 'open';
      readonly stream: number;
      readonly filter: AuditFilter;
      readonly after: Place | undefined;
    }
  | { readonly kind: 'taken'; readonly stream: number; readonly characters: number }
  | { readonly kind: 'close'; readonly stream: number }
  | { readonly kind: 'end' };

export type AuditResponse =
  | { readonly kind: 'ready' }
  | { readonly kind: 'found'; readonly id: number; readonly page: SearchPage }
  | { readonly kind: 'failed'; readonly id: number; readonly error: string }
  /** A stream could not begin: its place is none of this log. */
  | { readonly kind: 'unknown place'; readonly stream: number }
  | { readonly kind: 'piece'; readonly stream: number; readonly piece: StreamPiece }
  | { readonly kind: 'trouble'; readonly error: string };
