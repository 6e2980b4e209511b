/** Renders keys for people: the row of a list, the page of one key, and fresh secrets. */
import { type JsonObject, isJsonObject, memberAt, objectsOf, showValue } from '../remote/json.ts';
import { type ListView, renderList } from '../remote/list.ts';
import type { Style } from '../terminal/style.ts';
import { escapeUnsafe, renderFields } from '../terminal/table.ts';
import { KEYS_PATH } from './key-path.ts';
import { newestOf, stateOf, withStates } from './key-state.ts';

export const KEY_LIST: ListView = {
  path: KEYS_PATH,
  columns: [
    { title: 'id', path: 'id' },
    { title: 'name', path: 'name' },
    { title: 'kind', path: 'kind' },
    { title: 'state', path: 'id', show: stateOf },
    {
      title: 'key',
      path: 'versions',
      show: (key) => showValue(newestOf(objectsOf(key['versions']))?.['display']),
    },
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

const STATE_COLUMNS = [
  { title: 'id', path: 'id' },
  { title: 'state', path: 'state' },
  { title: 'uses', path: 'uses', align: 'right' },
  { title: 'last used', path: 'last_used_at' },
  { title: 'created', path: 'created_at' },
  { title: 'ends', path: 'expires_at' },
] as const;

const VERSION_COLUMNS = [
  { title: 'version', path: 'version', align: 'right' },
  { title: 'key', path: 'display' },
  ...STATE_COLUMNS,
] as const;

const SIGNING_SECRET_COLUMNS = [
  { title: 'version', path: 'version', align: 'right' },
  { title: 'signs with', path: 'display' },
  ...STATE_COLUMNS,
] as const;

export interface FreshSecret {
  readonly heading: string;
  readonly secret: unknown;
}

/** Everything about one key; its budgets, versions and signing secrets as tables of their own. */
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
      ['signing', showSigning(key['signing'])],
      member('rotates by itself', 'auto_rotate'),
      member('rotation interval (s)', 'rotation_interval'),
      member('canary', 'canary'),
      member('parent', 'parent_id'),
      member('valid from', 'not_before'),
      member('expires', 'expires_at'),
      member('quarantined', 'quarantined_at'),
      member('breaker', 'breaker.state'),
      member('since', 'breaker.since'),
      member('by rule', 'breaker.rule_id'),
      member('throttled to (requests per minute)', 'breaker.requests_per_minute'),
      member('revoked', 'revoked_at'),
      member('created', 'created_at'),
      ['metadata', showPairs(key['metadata'])],
    ],
    style,
  );
  const tables = [
    [BUDGET_COLUMNS, objectsOf(key['budgets'])],
    [VERSION_COLUMNS, withStates(objectsOf(key['versions']))],
    [SIGNING_SECRET_COLUMNS, withStates(objectsOf(memberAt(key, 'signing.secrets')))],
  ] as const;
  return tables.reduce(
    (page, [columns, rows]) => (rows.length === 0 ? page : `${page}\n${renderList(columns, rows, style)}`),
    fields,
  );
}

/** Each secret on a line of its own, to be copied as a whole; they are shown this once. */
export function renderSecrets(secrets: readonly FreshSecret[], style: Style): string {
  const blocks = secrets.map(
    ({ heading, secret }) => `${escapeUnsafe(heading)}\n\n  ${escapeUnsafe(showValue(secret))}\n\n`,
  );
  const warning =
    secrets.length === 1
      ? 'It is shown this once: store it now.'
      : 'They are shown this once: store them now.';
  return `${blocks.join('')}${style('warning', warning)}\n`;
}

/** What the key signs with, where the answer has it. */
export function signingSecretOf(answer: JsonObject): readonly FreshSecret[] {
  const secret = answer['signing_secret'];
  return secret === undefined ? [] : [{ heading: 'Its signing secret:', secret }];
}

/** `required, by 2, rfc9421 (hmac-sha256)`. */
function showSigning(signing: unknown): string {
  if (!isJsonObject(signing)) return showValue(signing);
  const rule = signing['required'] === true ? 'required' : 'optional';
  return `${rule}, by ${showValue(signing['versions'])} (${showValue(signing['algorithm'])})`;
}

function showPairs(value: unknown): string {
  if (!isJsonObject(value)) return showValue(value);
  return showValue(Object.entries(value).map(([name, content]) => `${name}=${showValue(content)}`));
}
