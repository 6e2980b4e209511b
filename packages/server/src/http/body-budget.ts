/** Bounds the memory that the bodies of all running requests take together. */

/** Bytes of request bodies that one process keeps at a time. */
export const BODIES_BYTES_MAX = 256 * 1_048_576;

/** Of these, those of requests that have not proved yet who sent them: strangers must not take the others' room. */
export const UNPROVED_BYTES_MAX = 64 * 1_048_576;

export class BodyBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** False when that many are not left; then nothing is taken. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
