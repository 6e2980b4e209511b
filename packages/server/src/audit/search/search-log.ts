/** Answers searches in pages, the newest record first, within a time: where that does not suffice, a page is what was found. */
import type { SearchIndex } from '../../storage/search-index.ts';
import type { LogParts } from '../reading/log-parts.ts';
import { completePlace } from '../reading/complete-place.ts';
import type { StoredRecord } from '../reading/record-source.ts';
import type { Place } from '../place.ts';
import { type AuditFilter, compileFilter } from './filter.ts';
import type { Indexer } from './indexer.ts';
import { NodeScan } from './node-scan.ts';
import { termsFor } from './terms.ts';

/** After it a page ends, whatever has been found: the next goes on from there. */
export const SEARCH_MS_MAX = 150;

export interface SearchQuery {
  readonly filter: AuditFilter;
  /** Only what comes after it in the order of the list: earlier records. */
  readonly after: Place | undefined;
  readonly limit: number;
}

export interface FoundRecord extends StoredRecord {
  readonly node: number;
}

export interface SearchPage {
  readonly records: readonly FoundRecord[];
  /** Where the next page begins; `undefined` where there is none. */
  readonly next: Place | undefined;
}

export interface SearchParts extends LogParts {
  readonly index: SearchIndex;
  readonly indexer: Indexer;
  readonly monotonicMs: () => number;
}

export async function searchLog(parts: SearchParts, query: SearchQuery): Promise<SearchPage> {
  const deadlineMs = parts.monotonicMs() + SEARCH_MS_MAX;
  const scans = await openScans(parts, query);
  const records: FoundRecord[] = [];
  // However little time there is, a page comes further than the one before.
  let hasLooked = false;
  while (records.length < query.limit) {
    const waiting = scans.filter((scan) => scan.head === undefined && !scan.isOver);
    if (waiting.length > 0) {
      if (hasLooked && parts.monotonicMs() >= deadlineMs) break;
      hasLooked = true;
      await Promise.all(waiting.map((scan) => scan.advance()));
      continue;
    }
    const newest = newestOf(scans);
    const match = newest?.head;
    if (newest === undefined || match === undefined) break;
    records.push({ node: match.node, sequence: match.sequence, record: match.record });
    newest.take();
  }
  const isOver = scans.every((scan) => scan.isOver);
  const next = new Map(scans.map((scan) => [scan.node, scan.place]));
  return { records, next: isOver ? undefined : next };
}

async function openScans(parts: SearchParts, { filter, after }: SearchQuery): Promise<NodeScan[]> {
  const matches = compileFilter(filter);
  const terms = termsFor(filter);
  const edges = await parts.source.edges();
  const place = after === undefined ? undefined : await completePlace(parts, edges, after);
  return edges.map((edge) => {
    const firstUnindexed = parts.indexer.firstUnindexed(edge.node);
    const scan = { ...parts, filter, matches, terms, firstUnindexed };
    return new NodeScan(scan, edge, place?.get(edge.node) ?? edge.last + 1);
  });
}

function newestOf(scans: readonly NodeScan[]): NodeScan | undefined {
  let newest: NodeScan | undefined;
  for (const scan of scans) {
    if (scan.head !== undefined && (newest?.head === undefined || isNewer(scan.head, newest.head)))
      newest = scan;
  }
  return newest;
}

function isNewer(a: { timeMs: number; node: number }, b: { timeMs: number; node: number }): boolean {
  return a.timeMs > b.timeMs || (a.timeMs === b.timeMs && a.node > b.node);
}
