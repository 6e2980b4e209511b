/** Responsible for objects of which only some fields are set: a field that is not must not be there at all. */

type Unset<Fields> = { readonly [Name in keyof Fields]: Fields[Name] | undefined };

/** The fields that have a value; `undefined` stands for a field that is absent. */
export function withoutUnset<Fields extends object>(fields: Unset<Fields>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}
