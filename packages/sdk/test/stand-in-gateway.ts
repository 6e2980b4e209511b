/**
 * Test support: a gateway in memory with one key, as far as its holder sees it: validation, rotation by the key itself,
 * model calls. It keeps time by its own clock, and fails on the way as it is told.
 */
import { formatSecret } from '@keyfold/protocol';
import type { CreatedKey } from '../src/wire.ts';
import type { ManualTiming } from './manual-timing.ts';

/** What befalls the next request. */
export type Mishap =
  /** It never arrives. */
  | 'lost'
  /** It is served, and the answer never arrives. */
  | 'answer-lost'
  /** It is refused with this status. */
  | { readonly status: number; readonly code: string; readonly retryAfterS?: number };

export interface StandInGatewayOptions {
  readonly timing: ManualTiming;
  readonly lifeMs?: number;
  /** When the key as a whole ends. */
  readonly keyEndsAtMs?: number;
  /** How far the gateway's clock is ahead. */
  readonly skewMs?: number;
}

interface Version {
  readonly secret: string;
  readonly startsAtMs: number;
  endsAtMs: number;
  uses: number;
}

export const URL_OF_GATEWAY = 'https://keyfold.example';
const GRACE_S_DEFAULT = 300;

export class StandInGateway {
  /** Newest last. */
  readonly versions: Version[] = [];
  /** `POST /v1/keys/self/rotate 200`, one for each request that arrived. */
  readonly log: string[] = [];
  /** Befall requests for rotation, one each. */
  readonly mishaps: Mishap[] = [];
  /** Befalls every request for rotation while it is set. */
  outage: Mishap | undefined;
  readonly #answers = new Map<string, string>();
  readonly #options: StandInGatewayOptions;

  constructor(options: StandInGatewayOptions) {
    this.#options = options;
    this.#mint();
  }

  /** What hands requests to it in place of `fetch`. */
  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const { pathname } = new URL(request.url);
    const isRotation = pathname === '/v1/keys/self/rotate';
    const mishap = isRotation ? (this.mishaps.shift() ?? this.outage) : undefined;
    await Promise.resolve();
    if (mishap === 'lost') throw new TypeError('fetch failed');
    const answer =
      typeof mishap === 'object' ? refuse(mishap) : this.#serve(request, pathname, await request.text());
    this.log.push(`${request.method} ${pathname} ${answer.status}`);
    if (mishap === 'answer-lost') throw new TypeError('fetch failed');
    answer.headers.set('date', new Date(this.#nowMs()).toUTCString());
    return answer;
  };

  get latest(): Version {
    const latest = this.versions.at(-1);
    if (latest === undefined) throw new Error('there is always one');
    return latest;
  }

  get rotations(): number {
    return this.versions.length - 1;
  }

  /** Whether a call with this key would be let through now. */
  accepts(secret: string): boolean {
    return this.versions.some((version) => version.secret === secret && this.#nowMs() < version.endsAtMs);
  }

  /** As if the key had just been created. */
  created(): CreatedKey {
    const { secret, startsAtMs, endsAtMs } = this.latest;
    const at = (ms: number) => new Date(ms).toISOString();
    return {
      object: 'key',
      id: 'key_1',
      name: null,
      kind: 'live',
      project_id: 'prj_1',
      permissions: ['chat'],
      models: null,
      networks: null,
      limits: { requests_per_minute: null, tokens_per_minute: null, concurrent_requests: null },
      budgets: [],
      estimate: { policy: 'worst_case' },
      clamp_output: false,
      expires_at: this.#options.keyEndsAtMs === undefined ? null : at(this.#options.keyEndsAtMs),
      revoked_at: null,
      auto_rotate: true,
      rotation_interval: 86_400,
      metadata: null,
      created_at: at(startsAtMs),
      not_before: null,
      quarantined_at: null,
      breaker: null,
      parent_id: null,
      canary: false,
      signing: null,
      api_key: secret,
      versions: [
        {
          id: 'ver_1',
          version: 1,
          display: 'kf_live_…',
          created_at: at(startsAtMs),
          expires_at: at(endsAtMs),
          uses: 0,
          last_used_at: null,
        },
      ],
    };
  }

  #serve(request: Request, path: string, body: string): Response {
    const secret = request.headers.get('authorization')?.replace('Bearer ', '');
    const version = this.versions.find((each) => each.secret === secret);
    if (version === undefined) return refuse({ status: 401, code: 'invalid_api_key' });
    if (this.#nowMs() >= version.endsAtMs) return refuse({ status: 401, code: 'key_expired' });
    version.uses++;
    if (path === '/v1/keys/self/rotate') return this.#rotateOnce(request, version, body);
    if (path !== '/v1/keys/validate')
      return Response.json({ path, body, version: this.versions.indexOf(version) });
    return Response.json({
      valid: true,
      remaining_quota: 1_000_000_000,
      key_id: 'key_1',
      permissions: ['chat'],
      limits: {},
      budgets: [],
      expires_at: new Date(this.#endOf(version)).toISOString(),
    });
  }

  #rotateOnce(request: Request, used: Version, body: string): Response {
    const idempotencyKey = request.headers.get('idempotency-key') ?? '';
    const first = this.#answers.get(idempotencyKey);
    if (first !== undefined) return new Response(first);
    const graceS = (JSON.parse(body) as { grace_seconds?: number }).grace_seconds ?? GRACE_S_DEFAULT;
    const kept = this.#keptVersion(used, graceS);
    if (kept === 'conflict') return refuse({ status: 409, code: 'conflict' });
    for (const version of this.versions) {
      const graceEndMs = this.#nowMs() + (version === kept ? graceS * 1_000 : 0);
      version.endsAtMs = Math.min(version.endsAtMs, graceEndMs);
    }
    const next = this.#mint();
    const answer = JSON.stringify({
      new_api_key: next.secret,
      key_id: 'key_1',
      version: this.versions.length,
      previous_expires_at: new Date(used.endsAtMs).toISOString(),
      expires_at: new Date(this.#endOf(next)).toISOString(),
      rotation_id: `rot_${this.versions.length}`,
    });
    this.#answers.set(idempotencyKey, answer);
    return new Response(answer);
  }

  /** At most two are live: one in its grace is not cut short, and a newer one that nobody has used is replaced. */
  #keptVersion(used: Version, graceS: number): Version | undefined | 'conflict' {
    const [newest, older] = this.versions.filter(({ secret }) => this.accepts(secret)).toReversed();
    if (newest !== undefined && newest !== used && newest.uses > 0) return 'conflict';
    if (graceS === 0) return undefined;
    if (older === undefined) return newest;
    return newest?.uses === 0 ? older : 'conflict';
  }

  #mint(): Version {
    const startsAtMs = this.#nowMs();
    const { lifeMs = 86_700_000, keyEndsAtMs = Infinity } = this.#options;
    const secret = formatSecret('live', crypto.getRandomValues(new Uint8Array(32)));
    const version = { secret, startsAtMs, endsAtMs: Math.min(startsAtMs + lifeMs, keyEndsAtMs), uses: 0 };
    this.versions.push(version);
    return version;
  }

  #endOf({ endsAtMs }: Version): number {
    return Math.min(endsAtMs, this.#options.keyEndsAtMs ?? Infinity);
  }

  #nowMs(): number {
    return this.#options.timing.nowMs() + (this.#options.skewMs ?? 0);
  }
}

function refuse({ status, code, retryAfterS }: Exclude<Mishap, string>): Response {
  const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) };
  return Response.json({ error: { message: 'Refused.', code } }, { status, headers });
}
