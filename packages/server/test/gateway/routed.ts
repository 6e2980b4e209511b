/** A gateway with two stand-ins behind it, and what it takes to route calls to them. */
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { rowsOf, textAt } from '../control/support.ts';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { type Answer, type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import { type MockProvider, startMockProvider } from '../mock-provider.ts';
import { type IssuedKey, chatBody, issueKey, until } from './support.ts';

export interface CredentialOptions {
  readonly url: string;
  /** Its own name unless said otherwise. */
  readonly model?: string;
  readonly provider?: string;
  readonly secret?: string;
  readonly isPriced?: boolean;
  readonly fields?: object;
}

export class Routed {
  readonly keyfold: TestKeyfold;
  readonly first: MockProvider;
  readonly second: MockProvider;
  /** Under a budget that no test exhausts. */
  readonly key: IssuedKey;

  private constructor(parts: {
    keyfold: TestKeyfold;
    first: MockProvider;
    second: MockProvider;
    key: IssuedKey;
  }) {
    this.keyfold = parts.keyfold;
    this.first = parts.first;
    this.second = parts.second;
    this.key = parts.key;
  }

  static async start(kind: DatabaseKind): Promise<Routed> {
    const [first, second] = await Promise.all([startMockProvider(), startMockProvider()]);
    const keyfold = await startTestKeyfold(kind);
    const key = await issueKey({ keyfold, provider: first }, { budgets: { total_usd: '1000' } });
    return new Routed({ keyfold, first, second, key });
  }

  get gateway() {
    return { keyfold: this.keyfold, provider: this.first };
  }

  async stop(): Promise<void> {
    await this.keyfold.stop();
    await Promise.all([this.first.stop(), this.second.stop()]);
  }

  /** A credential of one model, with a price of one and two dollars a million tokens. Returns its id. */
  async addCredential(name: string, of: CredentialOptions): Promise<string> {
    const { model = name, provider = 'openai-compatible' } = of;
    const created = await this.keyfold.request('POST', '/v1/credentials', {
      provider,
      name,
      secret: of.secret ?? `sk-${name}`,
      base_url: of.url,
      allow_networks: ['127.0.0.0/8'],
      models: [model],
      ...of.fields,
    });
    assert.equal(created.status, 201, created.text);
    if (of.isPriced !== false) {
      const price = { input_usd_per_million: '1', output_usd_per_million: '2' };
      const path = `/v1/catalog/models/${provider}/${model}`;
      assert.equal((await this.keyfold.request('PUT', path, price)).status, 200);
    }
    return textAt(created, 'id');
  }

  async addRoute(name: string, fields: object): Promise<Answer> {
    const made = await this.keyfold.request('POST', '/v1/routes', { name, ...fields });
    assert.equal(made.status, 201, made.text);
    return made;
  }

  /** Each test has targets of its own, since what one learns of a target's health would be another's surprise. */
  async addPair(name: string, of: { firstUrl?: string; retry?: object } = {}): Promise<Answer> {
    await this.addCredential(`${name}-a`, { url: of.firstUrl ?? this.first.url });
    await this.addCredential(`${name}-b`, { url: this.second.url });
    return this.addRoute(name, {
      targets: [
        { model: `openai-compatible/${name}-a` },
        { model: `openai-compatible/${name}-b`, priority: 1 },
      ],
      ...(of.retry === undefined ? {} : { retry: of.retry }),
    });
  }

  ask(model: string, fields: object = {}, secret = this.key.secret): Promise<Answer> {
    return this.keyfold.request('POST', '/v1/chat/completions', chatBody({ model, ...fields }), secret);
  }

  /** The rows of one request's attempts, the first one first. */
  attemptsOf(requestId: string | null, count: number): Promise<Record<string, unknown>[]> {
    return until(async () => {
      const rows = rowsOf(await this.keyfold.request('GET', `/v1/calls?request_id=${requestId}`));
      return rows.length >= count ? rows.toReversed() : undefined;
    });
  }
}

/** The suite on both databases. */
export function describeRouted(name: string, body: (routed: () => Routed) => void): void {
  for (const kind of DATABASE_KINDS) {
    describe(`${name} on ${kind.name}`, () => {
      let routed: Routed | undefined;
      before(async () => {
        routed = await Routed.start(kind);
      });
      after(() => routed?.stop());
      body(() => {
        assert.ok(routed);
        return routed;
      });
    });
  }
}
