/** Ids: text with a prefix that says what it names, branded so that one kind cannot be passed for another. */

/** The prefix of every kind of id. */
export const ID_PREFIXES = {
  organization: 'org',
  project: 'prj',
  key: 'key',
  version: 'ver',
  credential: 'crd',
  budget: 'bud',
  reservation: 'res',
  request: 'req',
  rotation: 'rot',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

declare const idBrand: unique symbol;

/** An id of one kind, such as `key_2x4f…`. */
export type Id<Kind extends IdKind> = string & { readonly [idBrand]: Kind };

const RANDOM_PART = /^[0-9a-z]{8,40}$/;

/** Brands text that has the right prefix and shape, else returns `undefined`. */
export function parseId<Kind extends IdKind>(kind: Kind, text: string): Id<Kind> | undefined {
  const prefix = `${ID_PREFIXES[kind]}_`;
  if (!text.startsWith(prefix) || !RANDOM_PART.test(text.slice(prefix.length))) return undefined;
  return text as Id<Kind>;
}
