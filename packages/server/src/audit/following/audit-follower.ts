/** All that follows the log off the event loop: its search index, its live streams and the searches themselves. */
import type { DatabaseReader } from '../../storage/reader.ts';
import type { SearchIndex } from '../../storage/search-index.ts';
import type { Place } from '../place.ts';
import { Indexer } from '../search/indexer.ts';
import { type SearchPage, type SearchQuery, searchLog } from '../search/search-log.ts';
import type { AuditFilter } from '../search/filter.ts';
import { Follower } from './follower.ts';
import { type Gap, LiveStreams, type Send } from './live-streams.ts';
import { Projects } from './projects.ts';
import { type ChainEdge, RecordSource } from './record-source.ts';

export interface FollowerParts {
  readonly reader: DatabaseReader;
  readonly index: SearchIndex;
  readonly monotonicMs: () => number;
  readonly send: Send;
  /** Told at every turn how far the chains reach: who else follows them need not look. */
  readonly onEdges?: ((edges: readonly ChainEdge[]) => void) | undefined;
  readonly onFailure: (error: unknown) => void;
}

export class AuditFollower {
  readonly #parts: FollowerParts;
  readonly #source: RecordSource;
  readonly #projects: Projects;
  readonly #indexer: Indexer;
  readonly #follower: Follower;
  readonly #streams: LiveStreams;
  #isFollowing = false;

  constructor(parts: FollowerParts) {
    const { reader, index, monotonicMs, send, onFailure } = parts;
    this.#parts = parts;
    this.#source = new RecordSource(reader);
    this.#projects = new Projects(reader);
    this.#indexer = new Indexer({ source: this.#source, projects: this.#projects, index });
    this.#follower = new Follower(this.#source, this.#projects);
    this.#streams = new LiveStreams({
      source: this.#source,
      projects: this.#projects,
      edge: this.#follower.place,
      monotonicMs,
      send,
      onFailure,
    });
  }

  search(query: SearchQuery): Promise<SearchPage> {
    const { index, monotonicMs } = this.#parts;
    const [source, projects, indexer] = [this.#source, this.#projects, this.#indexer];
    return searchLog({ source, projects, index, indexer, monotonicMs }, query);
  }

  /** False where a place lies beyond the log, as after the database was put back. */
  async openStream(id: number, filter: AuditFilter, after: Place | undefined): Promise<boolean> {
    const edges = await this.#source.edges();
    if (!this.#isFollowing) {
      this.#follower.startAt(edges);
      this.#isFollowing = true;
    }
    const now = new Map(edges.map(({ node, last }) => [node, last]));
    for (const [node, sequence] of after ?? []) if (sequence > (now.get(node) ?? 0)) return false;
    if (after === undefined) this.#streams.open(id, filter, { from: now, gaps: [] });
    else this.#streams.open(id, filter, resume(edges, after));
    return true;
  }

  closeStream(id: number): void {
    this.#streams.close(id);
    if (this.#streams.size === 0) this.#isFollowing = false;
  }

  taken(id: number, characters: number): void {
    this.#streams.taken(id, characters);
  }

  /** Hands on what is new, and indexes some of it. Returns whether there is more to do at once. */
  async turn(): Promise<boolean> {
    const edges = await this.#source.edges();
    this.#parts.onEdges?.(edges);
    let hasMore = false;
    if (this.#isFollowing) {
      hasMore = await this.#follower.turn(edges, (followed) => this.#streams.offer(followed));
      this.#streams.sweep();
    }
    // Live streams come first: what is not indexed yet is found all the same.
    return hasMore || (await this.#indexer.turn(edges));
  }
}

/** A node that the reader has not heard of is read from its beginning; what was pruned before it was read is a gap. */
function resume(edges: readonly ChainEdge[], after: Place): { from: Place; gaps: Gap[] } {
  const from = new Map<number, number>();
  const gaps: Gap[] = [];
  for (const { node, first } of edges) {
    const had = after.get(node) ?? 0;
    if (had < first - 1) gaps.push({ node, first: had + 1, last: first - 1 });
    from.set(node, Math.max(had, first - 1));
  }
  return { from, gaps };
}
