/** All that follows the log off the event loop: its search index, its live streams and the searches themselves. */
import type { DatabaseReader } from '../../storage/reader.ts';
import type { SearchIndex } from '../../storage/search-index.ts';
import type { Place } from '../place.ts';
import { Indexer } from '../search/indexer.ts';
import { type SearchPage, type SearchQuery, searchLog } from '../search/search-log.ts';
import type { AuditFilter } from '../search/filter.ts';
import { completePlace } from '../reading/complete-place.ts';
import { EventReader } from '../reading/event-reader.ts';
import { type LogParts } from '../reading/log-parts.ts';
import { Follower } from './follower.ts';
import { LiveStreams, type Send } from './live-streams.ts';
import { Projects } from '../reading/projects.ts';
import { type ChainEdge, RecordSource } from '../reading/record-source.ts';

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
  readonly #log: LogParts;
  readonly #indexer: Indexer;
  readonly #follower: Follower;
  readonly #streams: LiveStreams;
  #isFollowing = false;
  #edges: readonly ChainEdge[] = [];

  constructor(parts: FollowerParts) {
    const { reader, index, monotonicMs, send, onFailure } = parts;
    this.#parts = parts;
    this.#log = {
      source: new RecordSource(reader),
      projects: new Projects(reader),
      reader: new EventReader(onFailure),
    };
    this.#indexer = new Indexer({ ...this.#log, index, monotonicMs });
    this.#follower = new Follower(this.#log);
    this.#streams = new LiveStreams({
      ...this.#log,
      edge: this.#follower.place,
      monotonicMs,
      send,
      onFailure,
    });
  }

  search(query: SearchQuery): Promise<SearchPage> {
    const { index, monotonicMs } = this.#parts;
    return searchLog({ ...this.#log, index, indexer: this.#indexer, monotonicMs }, query);
  }

  /** False where a place lies beyond the log, as after the database was put back. */
  async openStream(id: number, filter: AuditFilter, after: Place | undefined): Promise<boolean> {
    const edges = await this.#log.source.edges();
    if (!this.#isFollowing) {
      this.#follower.startAt(edges);
      this.#isFollowing = true;
    }
    const now = new Map(edges.map(({ node, last }) => [node, last]));
    for (const [node, sequence] of after ?? []) if (sequence > (now.get(node) ?? 0)) return false;
    this.#streams.open(id, filter, after === undefined ? now : await this.#resume(edges, after));
    return true;
  }

  closeStream(id: number): void {
    this.#streams.close(id);
    if (this.#streams.size === 0) this.#isFollowing = false;
  }

  taken(id: number, characters: number): void {
    this.#streams.taken(id, characters);
  }

  /** Hands on what is new. Returns whether there is more to do at once. */
  async turn(): Promise<boolean> {
    const edges = await this.#log.source.edges();
    this.#edges = edges;
    this.#parts.onEdges?.(edges);
    if (!this.#isFollowing) return false;
    const hasMore = await this.#follower.turn(edges, (followed) => this.#streams.offer(followed));
    this.#streams.sweep();
    return hasMore;
  }

  /** Indexes some of what the last turn has seen. Returns whether there is more. */
  indexTurn(): Promise<boolean> {
    return this.#indexer.turn(this.#edges);
  }

  /** A chain that did not exist when the reader was here is read from its beginning. */
  async #resume(edges: readonly ChainEdge[], after: Place): Promise<Place> {
    const place = await completePlace(this.#log, edges, after);
    return new Map(edges.map(({ node }) => [node, place.get(node) ?? 0]));
  }
}
