/** Responsible for optional fields: an object without those that have no value, as JSON and the neutral form want it. */

/** The fields that have a value. */
export function given<Fields extends object>(fields: Fields): Given<Fields> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Given<Fields>;
}

export type Given<Fields> = { readonly [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
