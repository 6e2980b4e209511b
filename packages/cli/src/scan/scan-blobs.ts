/** Scans blobs of a git repository through one `git cat-file`, in memory that does not grow with their size. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CommandFailure } from '../exit-code.ts';
import { ContentScanner } from './content-scanner.ts';
import type { Place } from './finding.ts';
import type { Repository } from './git.ts';
import type { Scan } from './scan-files.ts';

export interface BlobRequest {
  /** Its id, in hex. */
  readonly blob: string;
  readonly place: Place;
}

const LINE_FEED = 10;

/** Rejects with `CommandFailure` when git fails. A blob that the repository lacks counts as unreadable. */
export async function scanBlobs(
  repository: Repository,
  requests: AsyncIterable<BlobRequest>,
  scan: Scan,
): Promise<void> {
  const git = repository.start(['cat-file', '--batch', '--buffer']);
  const places: Place[] = [];
  async function* ask(): AsyncGenerator<string> {
    for await (const { blob, place } of requests) {
      places.push(place);
      yield `${blob}\n`;
    }
  }
  try {
    const reading = readAll(git.output, new BatchReader(places, scan));
    reading.catch(git.stop);
    const [asked, read] = await Promise.allSettled([pipeline(Readable.from(ask()), git.input), reading]);
    // The cause comes before what followed from it.
    if (asked.status === 'rejected' && asked.reason instanceof CommandFailure) throw asked.reason;
    await git.ended;
    for (const outcome of [read, asked]) if (outcome.status === 'rejected') throw outcome.reason;
  } finally {
    git.stop();
  }
}

async function readAll(output: Readable, reader: BatchReader): Promise<void> {
  for await (const chunk of output as AsyncIterable<Buffer>) reader.read(chunk);
  reader.end();
}

/** Takes apart what `cat-file --batch` prints: for each blob `ID TYPE SIZE`, a line feed, its bytes, a line feed. */
class BatchReader {
  readonly #places: Place[];
  readonly #scan: Scan;
  #header = '';
  #scanner: ContentScanner | undefined;
  /** Bytes of the blob, and the line feed behind them, that are still to come. */
  #left = 0;

  constructor(places: Place[], scan: Scan) {
    this.#places = places;
    this.#scan = scan;
  }

  read(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#scanner === undefined ? this.#readHeader(rest) : this.#readContent(rest, this.#scanner);
    }
  }

  end(): void {
    if (this.#scanner !== undefined || this.#places.length > 0)
      throw new Error('git cat-file ended too early');
  }

  #readHeader(bytes: Buffer): Buffer {
    const end = bytes.indexOf(LINE_FEED);
    this.#header += bytes.toString('latin1', 0, end === -1 ? bytes.length : end);
    if (end === -1) return bytes.subarray(bytes.length);
    const size = / (\d+)$/.exec(this.#header)?.[1];
    if (size === undefined) {
      this.#scan.tally.addUnreadable(this.#places.shift()?.path ?? '', 'missing in this clone');
    } else {
      this.#scanner = new ContentScanner(this.#scan.includeBinary);
      this.#left = Number(size) + 1;
    }
    this.#header = '';
    return bytes.subarray(end + 1);
  }

  #readContent(bytes: Buffer, scanner: ContentScanner): Buffer {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    const content = this.#left === 0 ? piece.subarray(0, -1) : piece;
    scanner.write(content);
    this.#scan.tally.bytes += content.length;
    this.#scan.onRead();
    if (this.#left === 0) {
      const place = this.#places.shift();
      if (place !== undefined) this.#scan.tally.addFile(place, scanner);
      this.#scanner = undefined;
    }
    return bytes.subarray(piece.length);
  }
}
