/** Keeps what a scan has found and counts what it has looked at. */
import type { ContentScanner } from './content-scanner.ts';
import { type Finding, type Place, fingerprintOf, redactSecrets, toFinding } from './finding.ts';
import { MATCHES_MAX, type Match } from './text-scanner.ts';

export interface Unreadable {
  readonly path: string;
  readonly reason: string;
}

/** More than this are counted, and no longer listed. */
export const LISTED_MAX = 10_000;

export class Tally {
  readonly findings: Finding[] = [];
  readonly unreadable: Unreadable[] = [];
  /** What the reader should know about how far the scan reached. */
  readonly notes: string[] = [];
  found = 0;
  allowed = 0;
  files = 0;
  bytes = 0;
  binaryFiles = 0;
  unreadableFiles = 0;
  readonly #allowList: ReadonlySet<string>;
  readonly #known = new Set<string>();

  constructor(allowList: ReadonlySet<string>) {
    this.#allowList = allowList;
  }

  /** Takes in a file that has been written to its scanner in full. */
  addFile(place: Place, scanner: ContentScanner): void {
    const matches = scanner.end();
    if (matches === 'binary') {
      this.binaryFiles++;
      return;
    }
    this.files++;
    this.addMatches(place, matches);
    if (matches.length === MATCHES_MAX) {
      this.notes.push(
        `${redactSecrets(place.path)} was not looked through beyond its first ${MATCHES_MAX} secrets.`,
      );
    }
  }

  /** In history a secret counts once for each path, where it came in; elsewhere once for each place. */
  addMatches(place: Place, matches: readonly Match[]): void {
    for (const match of matches) {
      const spot = place.commit === undefined ? [match.line, match.column] : [];
      const identity = [fingerprintOf(match), place.path, ...spot].join('\0');
      if (this.#known.has(identity)) continue;
      if (this.#known.size < LISTED_MAX) this.#known.add(identity);
      if (match.isMarked || this.#allowList.has(fingerprintOf(match))) this.allowed++;
      else if (++this.found <= LISTED_MAX) this.findings.push(toFinding(place, match));
    }
  }

  addUnreadable(path: string, reason: string): void {
    if (++this.unreadableFiles <= LISTED_MAX) this.unreadable.push({ path: redactSecrets(path), reason });
  }
}
