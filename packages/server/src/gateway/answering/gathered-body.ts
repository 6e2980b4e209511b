/** Gathers an answer that is not streamed, within a bound for each and one for all that are gathered at a time. */

/** The largest answer that is gathered before it is sent on. */
const ANSWER_BYTES_MAX = 64 * 1_024 * 1_024;
/** Of all answers together. */
const ALL_BYTES_MAX = 512 * 1_024 * 1_024;
/** Of an error, what is looked at: the rest is dropped. */
const ERROR_BYTES_MAX = 64 * 1_024;

/** What the answers of this process take now. */
let allBytes = 0;

export class GatheredBody {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** False when there is no room for it. */
  add(chunk: Buffer, status: number): boolean {
    if (status >= 400 && this.#bytes + chunk.length > ERROR_BYTES_MAX) return true;
    if (this.#bytes + chunk.length > ANSWER_BYTES_MAX || allBytes + chunk.length > ALL_BYTES_MAX)
      return false;
    this.#bytes += chunk.length;
    allBytes += chunk.length;
    this.#chunks.push(chunk);
    return true;
  }

  /** All of it; the very chunk where it came in one. */
  whole(): Buffer {
    const [first, ...others] = this.#chunks;
    return first !== undefined && others.length === 0 ? first : Buffer.concat(this.#chunks);
  }

  /** Gives its room back. */
  free(): void {
    allBytes -= this.#bytes;
    this.#bytes = 0;
    this.#chunks = [];
  }
}
