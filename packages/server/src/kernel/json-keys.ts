/** Responsible for the keys that one open JSON object has so far: finds duplicates, and keys that reach a prototype. */

/** `new`: not seen before. `taken`: the object has it. `forbidden`: no object may have it. */
export type KeyClaim = 'new' | 'taken' | 'forbidden' | 'too_many';

/** How many keys one object may have: a bound on what a hostile body can make the process compare. */
export const JSON_KEYS_MAX = 16_384;

// Few short keys are compared as bytes where they lie; beyond either limit a set of names keeps the cost linear.
const FEW_KEYS = 16;
const SHORT_KEY_BYTES = 64;

const FORBIDDEN_NAMES = ['__proto__', 'prototype', 'constructor'];
const FORBIDDEN_BYTES = FORBIDDEN_NAMES.map((name) => Buffer.from(name));

/**
 * Reusable, so that an object costs no allocation. It keeps offsets, never the text: call `clear` when the object ends.
 * Names in the set are the key's UTF-8 bytes as latin-1 characters, which is cheap to make and as distinct as the bytes.
 */
export class ObjectKeys {
  readonly #spans = new Int32Array(FEW_KEYS * 2);
  #count = 0;
  #names: Set<string> | undefined = undefined;

  /** Claims a key that is written without escapes, in `body` from `start` to `end`. */
  claim(body: Buffer, start: number, end: number): KeyClaim {
    const length = end - start;
    if (this.#names !== undefined || this.#count === FEW_KEYS || length > SHORT_KEY_BYTES) {
      return this.#claimIn(this.#namesOf(body), body.toString('latin1', start, end));
    }
    if (length === 9 || length === 11) {
      for (const forbidden of FORBIDDEN_BYTES) {
        if (forbidden.length === length && body.compare(forbidden, 0, length, start, end) === 0)
          return 'forbidden';
      }
    }
    if (this.#isTaken(body, start, end)) return 'taken';
    this.#spans[this.#count * 2] = start;
    this.#spans[this.#count * 2 + 1] = end;
    this.#count++;
    return 'new';
  }

  /** Claims a key that is written with escapes. `name` is what it means; it has no lone surrogates. */
  claimName(body: Buffer, name: string): KeyClaim {
    return this.#claimIn(this.#namesOf(body), Buffer.from(name).toString('latin1'));
  }

  clear(): void {
    this.#count = 0;
    this.#names = undefined;
  }

  #isTaken(body: Buffer, start: number, end: number): boolean {
    const spans = this.#spans;
    const length = end - start;
    for (let index = 0; index < this.#count * 2; index += 2) {
      const other = spans[index] as number;
      if ((spans[index + 1] as number) - other !== length) continue;
      let place = length - 1;
      while (place >= 0 && body[start + place] === body[other + place]) place--;
      if (place < 0) return true;
    }
    return false;
  }

  #namesOf(body: Buffer): Set<string> {
    if (this.#names !== undefined) return this.#names;
    const names = new Set<string>();
    for (let index = 0; index < this.#count * 2; index += 2) {
      names.add(body.toString('latin1', this.#spans[index], this.#spans[index + 1]));
    }
    this.#names = names;
    return names;
  }

  #claimIn(names: Set<string>, name: string): KeyClaim {
    if (FORBIDDEN_NAMES.includes(name)) return 'forbidden';
    if (names.has(name)) return 'taken';
    if (names.size === JSON_KEYS_MAX) return 'too_many';
    names.add(name);
    return 'new';
  }
}
