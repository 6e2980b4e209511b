/**
 * Reads a client's request field by field. Whatever is wrong is refused by the name of its field, the first one found;
 * and since every field that no one has read is refused as well, a reader cannot drop one by forgetting it.
 */
import { Denial } from '../kernel/denial.ts';
import type { JsonObject, JsonValue } from './chat.ts';
import { isExactNumber } from './exact-json.ts';

/** Keeps the first refusal of a request. Reading goes on after it with stand-in values, and ends in the refusal. */
export class Reading {
  #refusal: Denial | undefined;

  get refusal(): Denial | undefined {
    return this.#refusal;
  }

  /** The field is wrong. `what` goes on after its name: "must be a number". */
  invalid(param: string, what: string): undefined {
    this.#refusal ??= new Denial('invalid_request', { param, message: `'${param}' ${what}.` });
  }

  /** The field is right, and cannot be said to this model's provider. */
  unsupported(param: string, why = 'has no equivalent at the provider of this model'): undefined {
    this.#refusal ??= new Denial('unsupported_parameter', { param, message: `'${param}' ${why}.` });
  }
}

/** One object of a request. A field that is null counts as absent, as it does for the vendors. */
export class ObjectReader {
  readonly #fields: JsonObject;
  readonly #path: string;
  readonly #reading: Reading;
  readonly #read = new Set<string>();

  constructor(fields: JsonObject, path: string, reading: Reading) {
    this.#fields = fields;
    this.#path = path;
    this.#reading = reading;
  }

  /** Where the object stands, such as `messages.0`; empty for the body itself. */
  get path(): string {
    return this.#path;
  }

  pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name) && this.#fields[name] !== null;
  }

  /** The value of any kind; `undefined` where it is absent or null. */
  value(name: string): JsonValue | undefined {
    this.#read.add(name);
    return this.has(name) ? this.#fields[name] : undefined;
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'string') return value;
    return this.invalid(name, 'must be a string');
  }

  /** A string that must be there. */
  requiredText(name: string): string {
    const value = this.value(name);
    if (typeof value === 'string') return value;
    this.invalid(name, 'must be a string');
    return '';
  }

  flag(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.invalid(name, 'must be true or false');
  }

  number(name: string, within: { readonly min: number; readonly max: number }): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= within.min && value <= within.max) return value;
    return this.invalid(name, `must be a number from ${within.min} to ${within.max}`);
  }

  integer(name: string, within: { readonly min: number; readonly max: number }): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (Number.isSafeInteger(value) && Number(value) >= within.min && Number(value) <= within.max) {
      return Number(value);
    }
    return this.invalid(name, `must be a whole number from ${within.min} to ${within.max}`);
  }

  /** One of a few words. */
  choice<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const found = words.find((word) => word === value);
    return found ?? this.invalid(name, `must be one of ${words.join(', ')}`);
  }

  object(name: string): ObjectReader | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (isObject(value)) return new ObjectReader(value, this.pathOf(name), this.#reading);
    return this.invalid(name, 'must be an object');
  }

  /** An object that is passed on as it is, such as a JSON Schema. */
  json(name: string): JsonObject | undefined {
    const value = this.value(name);
    if (value === undefined || isObject(value)) return value;
    return this.invalid(name, 'must be an object');
  }

  /** The objects of a list, each at its own path; none where it is absent. */
  objects(name: string): readonly ObjectReader[] {
    const readers: ObjectReader[] = [];
    for (const [index, item] of this.list(name).entries()) {
      const path = `${this.pathOf(name)}.${index}`;
      if (isObject(item)) readers.push(new ObjectReader(item, path, this.#reading));
      else this.#reading.invalid(path, 'must be an object');
    }
    return readers;
  }

  texts(name: string): readonly string[] {
    const texts: string[] = [];
    for (const [index, item] of this.list(name).entries()) {
      if (typeof item === 'string') texts.push(item);
      else this.#reading.invalid(`${this.pathOf(name)}.${index}`, 'must be a string');
    }
    return texts;
  }

  list(name: string): readonly JsonValue[] {
    const value = this.value(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value as readonly JsonValue[];
    this.invalid(name, 'must be a list');
    return [];
  }

  /** A field that asks for what every other provider does anyway, or that only its own vendor's accounts are about. */
  pass(...names: readonly string[]): void {
    for (const name of names) this.#read.add(name);
  }

  /** Accepted with these values alone: any other asks for what the provider of this model does not have. */
  expect(name: string, ...values: readonly JsonValue[]): void {
    const value = this.value(name);
    if (value !== undefined && !values.includes(value)) this.unsupported(name);
  }

  invalid(name: string, what: string): undefined {
    return this.#reading.invalid(this.pathOf(name), what);
  }

  unsupported(name: string, why?: string): undefined {
    return this.#reading.unsupported(this.pathOf(name), why);
  }

  /** To be called when all that is understood was read: what is left is refused by name. */
  done(): void {
    for (const name of Object.keys(this.#fields)) {
      if (this.has(name) && !this.#read.has(name)) this.unsupported(name);
    }
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isExactNumber(value);
}
