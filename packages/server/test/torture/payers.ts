/** Torture: the keys that pay, and the budgets that they are under, made through the management API. */
import assert from 'node:assert/strict';
import { rowsOf, textAt } from '../control/support.ts';
import { type IssuedKey, addModel, issueKey } from '../gateway/support.ts';
import { type Answer, sendJson } from '../keyfold.ts';
import { PRICED, type Payer } from './planned-call.ts';

/** Where a gateway is, and who may change it. */
export interface Reached {
  readonly url: string;
  readonly adminKey: string;
}

/** What is under a cap that no call may pass: a provider that reports more than a hold charges none of these. */
const AMPLE_USD = '1000000';
/** Some tens of calls; each round has a fresh key with it. */
const TIGHT_USD = '1';
const CHILD_TTL_S = 3_600;

interface Projects {
  readonly honest: string;
  readonly lied: string;
}

export class Payers {
  /** Every key that ever paid, with all that its calls are counted on: itself, its parent, its project, its organization. */
  readonly scopesOf = new Map<string, readonly string[]>();
  /** Budgets of these scopes hold to their cap whatever happens. */
  readonly strictScopes = new Set<string>();
  readonly #secrets = new Map<Payer, string>();
  readonly #reached: Reached;
  readonly #projects: Projects;
  readonly #organization: string;
  readonly #plain: IssuedKey;

  private constructor(
    reached: Reached,
    of: { readonly projects: Projects; readonly organization: string; readonly plain: IssuedKey },
  ) {
    this.#reached = reached;
    this.#projects = of.projects;
    this.#organization = of.organization;
    this.#plain = of.plain;
  }

  /** On a fresh installation: the model and its price, two projects, and budgets on every scope. */
  static async create(reached: Reached, providerUrl: string): Promise<Payers> {
    const keyfold = clientOf(reached);
    await addModel({ keyfold, provider: { url: providerUrl } }, PRICED);
    const projects = { honest: await addProject(keyfold, 'honest'), lied: await addProject(keyfold, 'lied') };
    const organization = await findOrganization(keyfold);
    for (const [scope, scopeId] of [
      ['organization', organization],
      ['project', projects.honest],
      ['project', projects.lied],
    ] as const) {
      for (const period of ['day', 'total']) {
        const scopes = scope === 'organization' ? {} : { scope_id: scopeId };
        const budget = { scope, ...scopes, period, cap_usd: AMPLE_USD };
        const set = await keyfold.request('PUT', '/v1/budgets', budget);
        assert.equal(set.status, 200, set.text);
      }
    }
    const plain = await issueKey({ keyfold, provider: { url: '' } }, keyBody(projects.honest, AMPLE_USD));
    const payers = new Payers(reached, { projects, organization, plain });
    payers.#add('plain', plain, [plain.id, projects.honest]);
    const lied = await issueKey({ keyfold, provider: { url: '' } }, keyBody(projects.lied, AMPLE_USD));
    payers.#add('lied', lied, [lied.id, projects.lied]);
    payers.strictScopes.add(projects.honest);
    return payers;
  }

  secretOf(payer: Payer): string {
    const secret = this.#secrets.get(payer);
    assert.ok(secret !== undefined, `no key pays for ${payer}`);
    return secret;
  }

  /** A key whose budget is soon used up, and a child of the key that pays for most. */
  async renew({ url, adminKey }: Reached = this.#reached): Promise<void> {
    const keyfold = clientOf({ url, adminKey });
    const tight = await issueKey(
      { keyfold, provider: { url: '' } },
      keyBody(this.#projects.honest, TIGHT_USD),
    );
    this.#add('tight', tight, [tight.id, this.#projects.honest]);
    this.strictScopes.add(tight.id);
    const born = await sendJson(`${url}/v1/keys/self/children`, {
      method: 'POST',
      body: { ttl_seconds: CHILD_TTL_S },
      options: { key: this.#plain.secret },
    });
    assert.equal(born.status, 201, born.text);
    const child = { id: textAt(born, 'id'), secret: textAt(born, 'api_key') };
    this.#add('child', child, [child.id, this.#plain.id, this.#projects.honest]);
  }

  #add(payer: Payer, key: IssuedKey, scopes: readonly string[]): void {
    this.#secrets.set(payer, key.secret);
    this.scopesOf.set(key.id, [...scopes, this.#organization]);
    this.strictScopes.add(this.#plain.id);
  }
}

function keyBody(projectId: string, totalUsd: string): object {
  return {
    project_id: projectId,
    auto_rotate: false,
    budgets: { total_usd: totalUsd, per_month_usd: AMPLE_USD },
  };
}

async function addProject(keyfold: ReturnType<typeof clientOf>, name: string): Promise<string> {
  const created = await keyfold.request('POST', '/v1/projects', { name });
  assert.equal(created.status, 201, created.text);
  return textAt(created, 'id');
}

/** The organization says its own id where it sets a budget. */
async function findOrganization(keyfold: ReturnType<typeof clientOf>): Promise<string> {
  const budget = { scope: 'organization', period: 'month', cap_usd: AMPLE_USD };
  const set = await keyfold.request('PUT', '/v1/budgets', budget);
  assert.equal(set.status, 200, set.text);
  return textAt(set, 'scope_id');
}

export function clientOf({ url, adminKey }: Reached) {
  return {
    request: (method: string, path: string, body?: unknown): Promise<Answer> =>
      sendJson(`${url}${path}`, { method, body, options: { key: adminKey } }),
    rows: async (path: string) =>
      rowsOf(await sendJson(`${url}${path}`, { method: 'GET', body: undefined, options: { key: adminKey } })),
  };
}
