/** What `audit search` and `audit tail` look for, as options and as the API's parameters. */
import type { Command } from 'commander';
import { type JsonObject, isJsonObject } from '../../remote/json.ts';

export interface FilterOptions {
  readonly type?: string;
  readonly actor?: string;
  readonly key?: string;
  readonly project?: string;
  readonly target?: string;
  readonly decision?: string;
  readonly request?: string;
  readonly network?: string;
  readonly q?: string;
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--type <types>', 'actions, separated by commas: key.created, or a group such as key.*')
    .option('--actor <id>', 'who did it')
    .option('--key <id>', 'a key that acted or was acted on')
    .option('--project <id>', 'a project, or whose keys')
    .option('--target <id>', 'what was acted on')
    .option('--decision <decision>', 'allowed or denied')
    .option('--request <id>', 'everything that one request did')
    .option('--network <network>', 'an address, or a network as 203.0.113.0/24')
    .option('--q <words>', 'words that must all be in the record');
}

export function filterQuery(options: FilterOptions): Readonly<Record<string, string | undefined>> {
  return {
    type: options.type,
    actor: options.actor,
    key_id: options.key,
    project_id: options.project,
    target: options.target,
    decision: options.decision,
    request_id: options.request,
    network: options.network,
    q: options.q,
  };
}

/** The facts of an event in one line, as `model=gpt-4.1 status=200`. */
export function showDetail({ cost_usd: cost, detail }: JsonObject): string {
  const facts = {
    ...(cost === undefined ? {} : { cost_usd: cost }),
    ...(isJsonObject(detail) ? detail : {}),
  };
  return Object.entries(facts)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}
