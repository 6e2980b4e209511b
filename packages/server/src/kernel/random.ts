/** Randomness, injected: secrets, ids and initialisation vectors all come from here. */
import { randomFillSync } from 'node:crypto';

export interface RandomSource {
  /** Fresh bytes from a cryptographic generator. The caller owns the buffer. */
  bytes(length: number): Buffer;
}

const POOL_BYTES = 4096;

/** The operating system's generator, read in pages, since one call for sixteen bytes costs as much as one for a page. */
export class SystemRandom implements RandomSource {
  #pool = Buffer.alloc(0);

  bytes(length: number): Buffer {
    if (length > this.#pool.length)
      this.#pool = randomFillSync(Buffer.allocUnsafeSlow(Math.max(POOL_BYTES, length)));
    const taken = Buffer.from(this.#pool.subarray(0, length));
    this.#pool.fill(0, 0, length);
    this.#pool = this.#pool.subarray(length);
    return taken;
  }
}
