/** Test support: checks that a request has exactly the form that a vendor documents. What it does not know it refuses. */

export type Fields = Readonly<Record<string, unknown>>;

/** What a vendor would answer with 400, or 404 where it has no such endpoint. `param` is where, such as `messages.0.content`. */
export class BadRequest extends Error {
  readonly param: string;
  readonly status: number;

  constructor(param: string, message: string, status = 400) {
    super(message);
    this.param = param;
    this.status = status;
  }
}

/** Returns what it has checked, or throws `BadRequest`. */
export type Check<T> = (value: unknown, at: string) => T;

export const text: Check<string> = (value, at) =>
  typeof value === 'string' ? value : refuse(at, 'must be a string');

export const filled: Check<string> = (value, at) =>
  text(value, at) === '' ? refuse(at, 'must not be empty') : text(value, at);

export const flag: Check<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : refuse(at, 'must be a boolean');

export const any: Check<unknown> = (value) => value;

/** A JSON object of the client's own, such as a schema. */
export const object: Check<Fields> = (value, at) =>
  isFields(value) ? value : refuse(at, 'must be an object');

export function numberFrom(min: number, max: number): Check<number> {
  return (value, at) =>
    typeof value === 'number' && value >= min && value <= max
      ? value
      : refuse(at, `must be a number from ${min} to ${max}`);
}

export function integerFrom(min: number, max = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, at) =>
    Number.isSafeInteger(value) ? numberFrom(min, max)(value, at) : refuse(at, 'must be an integer');
}

export function oneOf<Word extends string | boolean>(...words: readonly Word[]): Check<Word> {
  return (value, at) => words.find((word) => word === value) ?? refuse(at, `must be ${words.join(' or ')}`);
}

export function matching(pattern: RegExp): Check<string> {
  return (value, at) =>
    pattern.test(text(value, at)) ? text(value, at) : refuse(at, `must match ${pattern.source}`);
}

export function listOf<T>(item: Check<T>, within: { min?: number; max?: number } = {}): Check<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) return refuse(at, 'must be an array');
    const { min = 0, max = Infinity } = within;
    if (value.length < min || value.length > max) refuse(at, `must have from ${min} to ${max} items`);
    return value.map((each: unknown, index) => item(each, `${at}.${index}`));
  };
}

export function either<A, B>(first: Check<A>, second: Check<B>): Check<A | B> {
  return (value, at) => (typeof value === 'string' ? first(value, at) : second(value, at));
}

export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, at) => (value === null ? null : check(value, at));
}

/** An object with these fields and no other. */
export function record(
  required: Readonly<Record<string, Check<unknown>>>,
  optional: Readonly<Record<string, Check<unknown>>> = {},
): Check<Fields> {
  return (value, at) => {
    const fields = object(value, at);
    for (const name of Object.keys(required)) {
      if (!Object.hasOwn(fields, name)) refuse(join(at, name), 'is required');
    }
    for (const [name, inner] of Object.entries(fields)) {
      const check = required[name] ?? optional[name];
      if (check === undefined) refuse(join(at, name), 'is not a known field');
      else check(inner, join(at, name));
    }
    return fields;
  };
}

/** One of several records, told apart by a word in it. */
export function tagged(tag: string, kinds: Readonly<Record<string, Check<unknown>>>): Check<Fields> {
  return (value, at) => {
    const fields = object(value, at);
    const kind = text(fields[tag], join(at, tag));
    const check = kinds[kind];
    if (check === undefined) {
      const names = Object.keys(kinds).join(', ');
      return refuse(join(at, tag), `unknown variant \`${kind}\`, expected one of ${names}`);
    }
    check(value, at);
    return fields;
  };
}

export function refuse(at: string, what: string): never {
  throw new BadRequest(at, `${at}: ${what}`);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The objects of a list that has been checked. */
export function fieldsIn(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isFields) : [];
}

function join(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`;
}
