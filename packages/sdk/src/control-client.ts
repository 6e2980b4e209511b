/** The management API over `fetch`: typed answers, typed errors, and retries that never do a thing twice. */
import { readText } from './answer-text.ts';
import { type BaseUrl, readBaseUrl } from './base-url.ts';
import { ConnectionError, UnavailableError, toKeyfoldError } from './errors.ts';
import { fetchInPlace } from './fetch-in-place.ts';
import { KeysApi } from './keys-api.ts';
import { LeaksApi } from './leaks-api.ts';
import type { FetchInit, FetchInput } from './repeatable.ts';
import { type RetryOptions, retryingFetch } from './retry.ts';
import type { Method, RequestOptions, Requester } from './requester.ts';
import { ServerClock } from './server-clock.ts';
import { type Timing, systemTiming } from './timing.ts';

export interface KeyfoldClientOptions extends RetryOptions {
  /** `https://keyfold.example`, with or without the `/v1` that other SDKs want. */
  readonly baseUrl: string | URL;
  /** Sent as bearer; a function is asked at every attempt. Without it, `fetch` is what authenticates. */
  readonly key?: string | (() => string) | undefined;
  /** How requests travel; without `key` a fetch that signs them. The runtime's own unless given. */
  readonly fetch?: typeof fetch | undefined;
  /** How long one attempt may take, its answer read. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Permits `http:` to other machines: for networks that are nobody else's. */
  readonly allowPlaintext?: boolean | undefined;
}

export const ATTEMPT_TIMEOUT_MS_DEFAULT = 30_000;
const ANSWER_BYTES_MAX = 67_108_864;
const IDEMPOTENCY_KEY_BYTES = 16;

export class KeyfoldClient implements Requester {
  readonly keys: KeysApi;
  readonly leaks: LeaksApi;
  readonly clock: ServerClock;
  readonly #options: KeyfoldClientOptions;
  readonly #baseUrl: BaseUrl;
  readonly #timing: Timing;
  readonly #fetch: typeof fetch;

  /**
   * Throws `TypeError` for a `baseUrl` or a `key` that cannot be used. Nothing is sent yet. Clients of one server may share
   * what they know of its clock.
   */
  constructor(options: KeyfoldClientOptions, clock = new ServerClock(options.timing)) {
    if (typeof options.key === 'string') checkKey(options.key);
    this.#options = options;
    this.#baseUrl = readBaseUrl(options.baseUrl, options);
    this.#timing = options.timing ?? systemTiming;
    this.#fetch = retryingFetch({ ...options, fetch: (input, init) => this.#attempt(input, init) });
    this.clock = clock;
    this.keys = new KeysApi(this);
    this.leaks = new LeaksApi(this);
  }

  get origin(): string {
    return this.#baseUrl.origin;
  }

  /** The same gateway, asked with another key. A fetch that signs for this client's key is not taken along. */
  withKey(key: string | (() => string)): KeyfoldClient {
    const { key: own, fetch } = this.#options;
    const kept = own === undefined ? undefined : fetch;
    return new KeyfoldClient({ ...this.#options, key, fetch: kept }, this.clock);
  }

  /**
   * Any request, for what has no method of its own: `request('GET', '/v1/usage', { query: { group_by: 'key' } })`. The
   * answer is trusted to have the documented shape. Throws a `KeyfoldError`, or the signal's reason.
   */
  async request<Answer>(method: Method, path: string, options: RequestOptions = {}): Promise<Answer> {
    const { body, signal } = options;
    const response = await this.#send(this.#urlOf(path, options.query), {
      method,
      headers: this.#headersFor(method, options),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) throw await toKeyfoldError(response, this.#timing.nowMs());
    const text = await response.text();
    if (text === '') return undefined as Answer;
    try {
      return JSON.parse(text) as Answer;
    } catch {
      throw new UnavailableError({
        code: 'not_keyfold',
        status: response.status,
        message: `${this.origin} answers, but not as Keyfold does.`,
      });
    }
  }

  async #send(url: string, init: RequestInit): Promise<Response> {
    try {
      return await this.#fetch(url, init);
    } catch (error) {
      if (init.signal?.aborted === true) throw error;
      const isLate = error instanceof DOMException && error.name === 'TimeoutError';
      throw new ConnectionError({
        code: isLate ? 'timeout' : 'connection_failed',
        message: isLate ? `${this.origin} did not answer in time.` : `${this.origin} gave no answer.`,
        shouldRetry: true,
        cause: error,
      });
    }
  }

  /** One attempt under its own deadline, with its answer read: a body that breaks off is no answer. */
  async #attempt(input: FetchInput, init: FetchInit): Promise<Response> {
    const { fetch: send = (...request) => globalThis.fetch(...request) } = this.#options;
    const { attemptTimeoutMs = ATTEMPT_TIMEOUT_MS_DEFAULT } = this.#options;
    const deadline = new AbortController();
    const callOff = this.#timing.schedule(() => {
      deadline.abort(new DOMException('The attempt took too long.', 'TimeoutError'));
    }, attemptTimeoutMs);
    try {
      const signals = [deadline.signal, ...(init?.signal ? [init.signal] : [])];
      const response = await fetchInPlace(send, input, {
        ...init,
        headers: this.#authenticate(init),
        signal: AbortSignal.any(signals),
      });
      this.clock.learn(response.headers);
      return await readWhole(response);
    } finally {
      callOff();
    }
  }

  #authenticate(init: FetchInit): Headers {
    const headers = new Headers(init?.headers);
    const { key } = this.#options;
    const secret = typeof key === 'function' ? key() : key;
    if (secret !== undefined) headers.set('authorization', `Bearer ${checkKey(secret)}`);
    return headers;
  }

  #headersFor(method: Method, { body, idempotencyKey }: RequestOptions): Headers {
    const headers = new Headers({ accept: 'application/json' });
    if (body !== undefined) headers.set('content-type', 'application/json');
    if (method === 'POST') headers.set('idempotency-key', idempotencyKey ?? newIdempotencyKey());
    return headers;
  }

  #urlOf(path: string, query: RequestOptions['query'] = {}): string {
    // Joined as text: a path that begins otherwise could name another host.
    if (!/^\/[^/\\?#]/.test(path)) throw new TypeError('a path begins with one slash, such as /v1/keys');
    const url = new URL(`${this.#baseUrl.origin}${this.#baseUrl.prefix}${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.href;
  }
}

/** For a POST that may have to be sent again: hand the same one along each time. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(IDEMPOTENCY_KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What is no header value would be quoted in the error that `fetch` throws. */
function checkKey(key: string): string {
  if (!/^[\x21-\x7e]{1,500}$/.test(key)) throw new TypeError('the key holds characters that no key has');
  return key;
}

async function readWhole(response: Response): Promise<Response> {
  const { status, statusText, headers } = response;
  const text = await readText(response, ANSWER_BYTES_MAX);
  // Some statuses, 204 among them, may not have so much as an empty body.
  return new Response(text === '' ? null : text, { status, statusText, headers });
}
