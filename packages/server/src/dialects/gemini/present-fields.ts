/** Responsible for optional fields: one that has no value is absent, and not there with `undefined`. */

/** The fields that have a value. */
export function presentFields<T extends object>(fields: {
  readonly [Name in keyof T]: T[Name] | undefined;
}): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
