/** Gathers an answer that is not streamed, within a bound. */

/** The largest answer that is gathered before it is sent on. */
const ANSWER_BYTES_MAX = 64 * 1_024 * 1_024;

export class GatheredBody {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** False when it is too large. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_BYTES_MAX) return false;
    this.#chunks.push(chunk);
    return true;
  }

  /** All of it; the very chunk where it came in one. */
  whole(): Buffer {
    const [first, ...others] = this.#chunks;
    return first !== undefined && others.length === 0 ? first : Buffer.concat(this.#chunks);
  }
}
