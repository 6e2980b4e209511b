/** Renders routes for people: the row of a list, and the page of one with its targets in the order of their turn. */
import { type JsonObject, memberAt, objectsOf, showValue } from '../remote/json.ts';
import { type ListView, renderList } from '../remote/list.ts';
import type { Style } from '../terminal/style.ts';
import { renderFields } from '../terminal/table.ts';
import type { Noun } from './find-id.ts';

export const ROUTE: Noun = { name: 'route', path: '/v1/routes', idPrefix: 'rte_' };

export const ROUTE_LIST: ListView = {
  path: ROUTE.path,
  columns: [
    { title: 'id', path: 'id' },
    { title: 'name', path: 'name' },
    { title: 'targets', path: 'targets', show: describeTargets },
    { title: 'attempts', path: 'retry.attempts_max', align: 'right' },
    { title: 'created', path: 'created_at' },
  ],
  empty: 'There are no routes. Make one: keyfold routes create NAME --target provider/model',
};

const TARGET_COLUMNS = [
  { title: 'priority', path: 'priority', align: 'right' },
  { title: 'weight', path: 'weight', align: 'right' },
  { title: 'model', path: 'model' },
  { title: 'credential', path: 'credential_id' },
] as const;

export function renderRoute(route: JsonObject, style: Style): string {
  const member = (name: string, path: string): [string, string] => [name, showValue(memberAt(route, path))];
  const fields = renderFields(
    [
      member('id', 'id'),
      member('name', 'name'),
      member('attempts', 'retry.attempts_max'),
      member('first token within (ms)', 'retry.first_token_timeout_ms'),
      member('answer within (ms)', 'retry.answer_timeout_ms'),
      member('created', 'created_at'),
      member('updated', 'updated_at'),
    ],
    style,
  );
  return `${fields}\n${renderList(TARGET_COLUMNS, inTurn(route), style)}`;
}

/** `a/x (3), b/y (1) → c/z (1)`: shares of the calls, then what serves when all before it fail. */
function describeTargets(route: JsonObject): string {
  const turns = Map.groupBy(inTurn(route), ({ priority }) => priority);
  return [...turns.values()]
    .map((targets) =>
      targets.map(({ model, weight }) => `${showValue(model)} (${showValue(weight)})`).join(', '),
    )
    .join(' → ');
}

function inTurn(route: JsonObject): readonly JsonObject[] {
  return objectsOf(route['targets']).toSorted((a, b) => Number(a['priority']) - Number(b['priority']));
}
