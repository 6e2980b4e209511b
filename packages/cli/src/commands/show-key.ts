/** Renders keys for people: the row of a list, the page of one key, and a fresh secret. */
import { type JsonObject, isJsonObject, memberAt, objectsOf, showValue } from '../remote/json.ts';
import { type ListView, renderList } from '../remote/list.ts';
import type { Style } from '../terminal/style.ts';
import { escapeUnsafe, renderFields } from '../terminal/table.ts';

export const KEY_LIST: ListView = {
  path: '/v1/keys',
  columns: [
    { title: 'id', path: 'id' },
    { title: 'name', path: 'name' },
    { title: 'kind', path: 'kind' },
    { title: 'state', path: 'id', show: stateOf },
    { title: 'key', path: 'versions', show: (key) => showValue(newestVersion(key)?.['display']) },
    { title: 'project', path: 'project_id' },
    { title: 'permissions', path: 'permissions' },
    { title: 'expires', path: 'expires_at' },
    { title: 'created', path: 'created_at' },
  ],
  empty: 'There are no keys. Make one: keyfold keys create --name NAME --permissions chat',
};

const BUDGET_COLUMNS = [
  { title: 'scope', path: 'scope' },
  { title: 'period', path: 'period' },
  { title: 'cap usd', path: 'cap_usd', align: 'right' },
  { title: 'posted usd', path: 'posted_usd', align: 'right' },
  { title: 'held usd', path: 'held_usd', align: 'right' },
  { title: 'remaining usd', path: 'remaining_usd', align: 'right' },
  { title: 'resets', path: 'resets_at' },
] as const;

const VERSION_COLUMNS = [
  { title: 'version', path: 'version', align: 'right' },
  { title: 'key', path: 'display' },
  { title: 'id', path: 'id' },
  { title: 'created', path: 'created_at' },
  { title: 'expires', path: 'expires_at' },
] as const;

/** Everything about one key, its budgets and versions as tables of their own. */
export function renderKey(key: JsonObject, style: Style): string {
  const member = (name: string, path: string): [string, string] => [name, showValue(memberAt(key, path))];
  const fields = renderFields(
    [
      member('id', 'id'),
      member('name', 'name'),
      ['state', stateOf(key)],
      member('kind', 'kind'),
      member('project', 'project_id'),
      member('permissions', 'permissions'),
      member('models', 'models'),
      member('networks', 'networks'),
      member('requests per minute', 'limits.requests_per_minute'),
      member('tokens per minute', 'limits.tokens_per_minute'),
      member('concurrent requests', 'limits.concurrent_requests'),
      member('rotates by itself', 'auto_rotate'),
      member('rotation interval (s)', 'rotation_interval'),
      member('expires', 'expires_at'),
      member('revoked', 'revoked_at'),
      member('created', 'created_at'),
      ['metadata', showPairs(key['metadata'])],
    ],
    style,
  );
  const budgets = objectsOf(key['budgets']);
  const versions = objectsOf(key['versions']);
  return [
    fields,
    budgets.length === 0 ? '' : `\n${renderList(BUDGET_COLUMNS, budgets, style)}`,
    versions.length === 0 ? '' : `\n${renderList(VERSION_COLUMNS, versions, style)}`,
  ].join('');
}

/** A secret on a line of its own, to be copied as a whole; it is shown this once. */
export function renderSecret(heading: string, secret: unknown, style: Style): string {
  const warning = style('warning', 'It is shown this once: store it now.');
  return `${escapeUnsafe(heading)}\n\n  ${escapeUnsafe(showValue(secret))}\n\n${warning}\n`;
}

function stateOf(key: JsonObject): string {
  if (typeof key['revoked_at'] === 'string') return 'revoked';
  const expiresAt = key['expires_at'];
  return typeof expiresAt === 'string' && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'active';
}

function newestVersion(key: JsonObject): JsonObject | undefined {
  const versions = objectsOf(key['versions']);
  return versions.reduce<JsonObject | undefined>(
    (newest, version) => (Number(version['version']) > Number(newest?.['version'] ?? 0) ? version : newest),
    undefined,
  );
}

function showPairs(value: unknown): string {
  if (!isJsonObject(value)) return showValue(value);
  return showValue(Object.entries(value).map(([name, content]) => `${name}=${showValue(content)}`));
}
