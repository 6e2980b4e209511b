/** A map that forgets what was used longest ago, so that it never holds more than it may. */

export class BoundedMap<Value> {
  readonly #entries = new Map<string, Value>();
  readonly #entriesMax: number;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): Value | undefined {
    const value = this.#entries.get(name);
    if (value === undefined) return undefined;
    // Order of use is the map's order of insertion.
    this.#entries.delete(name);
    this.#entries.set(name, value);
    return value;
  }

  set(name: string, value: Value): void {
    this.#entries.delete(name);
    this.#entries.set(name, value);
    if (this.#entries.size <= this.#entriesMax) return;
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }

  take(name: string): Value | undefined {
    const value = this.#entries.get(name);
    this.#entries.delete(name);
    return value;
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#entries.entries();
  }
}
