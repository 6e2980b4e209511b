/** Ids: text with a prefix that says what it names, branded so that one kind cannot be passed for another. */

/** The prefix of every kind of id. */
export const ID_PREFIXES = {
  organization: 'org',
  project: 'prj',
  key: 'key',
  version: 'ver',
  signingSecret: 'sgn',
  credential: 'crd',
  route: 'rte',
  budget: 'bud',
  reservation: 'res',
  request: 'req',
  rotation: 'rot',
  creditAccount: 'cra',
  creditEntry: 'cre',
  auditHold: 'hld',
  alertRule: 'arl',
  firing: 'fir',
  webhook: 'whk',
  message: 'msg',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

declare const idBrand: unique symbol;

/** An id of one kind, such as `key_2x4f…`. */
export type Id<Kind extends IdKind> = string & { readonly [idBrand]: Kind };
