/** The closed list of what a key may be allowed to do. */

/** What `live` and `test` keys may do: the model calls. */
export const DATA_PERMISSIONS = [
  'chat',
  'completions',
  'embeddings',
  'images',
  'audio',
  'moderations',
] as const;

/** What `admin` keys may do: the management API, `noun:verb`. */
export const CONTROL_PERMISSIONS = [
  'organizations:read',
  'organizations:write',
  'projects:read',
  'projects:write',
  'keys:read',
  'keys:write',
  'keys:rotate',
  'keys:revoke',
  'keys:verify',
  'credentials:read',
  'credentials:write',
  'routes:read',
  'routes:write',
  'catalog:read',
  'catalog:write',
  'budgets:read',
  'budgets:write',
  'credits:read',
  'credits:write',
  'usage:read',
  'usage:write',
  'audit:read',
  'audit:write',
  'leaks:write',
  'alerts:read',
  'alerts:write',
] as const;

export type DataPermission = (typeof DATA_PERMISSIONS)[number];
export type ControlPermission = (typeof CONTROL_PERMISSIONS)[number];
export type Permission = DataPermission | ControlPermission;
