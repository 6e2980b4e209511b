/** A key whose calls are under one budget, or under one of each scope. */
import { type ControlApi, PLENTY, readText } from './control-api.ts';
import { type Target, describeChatCall } from './target.ts';

const CAP_USD = '1000000';
const OUTER_SCOPES = ['project', 'organization'] as const;

/** Every budget of project and organization is taken away or set: the other loads have had theirs by then. */
export async function createScopes(api: ControlApi, url: string): Promise<NonNullable<Target['scopes']>> {
  const key = await api('POST', '/v1/keys', {
    name: 'bench scopes',
    permissions: ['chat'],
    limits: { requests_per_minute: PLENTY, tokens_per_minute: PLENTY, concurrent_requests: 100_000 },
    budgets: { total_usd: CAP_USD },
  });
  const authorization = `Bearer ${readText(key, 'api_key')}`;
  return {
    call: describeChatCall(url, 'bench-model', { authorization }),
    setScopes: async (count) => {
      const { data } = (await api('GET', '/v1/budgets?limit=100')) as {
        data: { id: string; scope: string }[];
      };
      for (const { id, scope } of data) if (scope !== 'key') await api('DELETE', `/v1/budgets/${id}`);
      if (count === 1) return;
      for (const scope of OUTER_SCOPES) {
        await api('PUT', '/v1/budgets', { scope, period: 'total', cap_usd: CAP_USD });
      }
    },
  };
}
