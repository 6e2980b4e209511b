/** Responsible for connections to providers: one bounded pool of HTTP/1.1 connections for each credential. */
import { Pool } from 'undici';
import { createDialer, type ResolveAll } from './dialer.ts';
import type { AllowedOrigin } from './egress-policy.ts';

export interface PoolLimits {
  readonly connectionsMax: number;
  /** Calls on an origin, running and waiting for a connection; above it a call is refused at once. */
  readonly callsMax: number;
  readonly connectTimeoutMs: number;
  /** From the last byte of the request to the end of the answer's headers: a slow model thinks before it answers. */
  readonly headersTimeoutMs: number;
  /** Between two chunks of an answer. */
  readonly bodyTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly keepAliveTimeoutMaxMs: number;
  readonly headerBytesMax: number;
  readonly poolsMax: number;
}

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  connectionsMax: 1_024,
  callsMax: 2048,
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 300_000,
  bodyTimeoutMs: 120_000,
  keepAliveTimeoutMs: 60_000,
  keepAliveTimeoutMaxMs: 600_000,
  headerBytesMax: 32_768,
  poolsMax: 256,
};

/** The connections to one origin, for one credential. */
export class OriginPool {
  readonly origin: string;
  /** The base URL's path, without a slash at its end. */
  readonly basePath: string;
  readonly dispatcher: Pool;
  readonly #callsMax: number;
  #calls = 0;

  constructor(target: AllowedOrigin, limits: PoolLimits, resolveAll?: ResolveAll) {
    this.origin = target.origin;
    this.basePath = target.basePath;
    this.#callsMax = limits.callsMax;
    this.dispatcher = new Pool(target.origin, {
      connections: limits.connectionsMax,
      pipelining: 1,
      allowH2: false,
      headersTimeout: limits.headersTimeoutMs,
      bodyTimeout: limits.bodyTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      keepAliveMaxTimeout: limits.keepAliveTimeoutMaxMs,
      maxHeaderSize: limits.headerBytesMax,
      connect: createDialer(target, { connectTimeoutMs: limits.connectTimeoutMs, resolveAll }),
    });
  }

  /** Calls that are running or waiting. */
  get calls(): number {
    return this.#calls;
  }

  /** Takes a place for one call; false when all are taken. Every true must be followed by one `leave`. */
  enter(): boolean {
    if (this.#calls >= this.#callsMax) return false;
    this.#calls++;
    return true;
  }

  leave(): void {
    this.#calls--;
  }
}

/**
 * All pools, by credential. At most `poolsMax` are open: beyond it the one that was used longest ago is closed, which
 * lets its running calls end. Closing never cuts a call short; `destroy` does.
 */
export class UpstreamPools {
  readonly #limits: PoolLimits;
  readonly #resolveAll: ResolveAll | undefined;
  readonly #open = new Map<string, { readonly target: AllowedOrigin; readonly pool: OriginPool }>();
  readonly #closing = new Set<OriginPool>();

  constructor(limits: PoolLimits = DEFAULT_POOL_LIMITS, resolveAll?: ResolveAll) {
    this.#limits = limits;
    this.#resolveAll = resolveAll;
  }

  /** The pool of a credential, opened at first use and replaced when its origin or its allowed networks have changed. */
  poolFor(credentialId: string, target: AllowedOrigin): OriginPool {
    const entry = this.#open.get(credentialId);
    if (entry !== undefined) {
      // Order of use is the map's order of insertion.
      this.#open.delete(credentialId);
      if (entry.target === target || entry.target.key === target.key) {
        this.#open.set(credentialId, entry);
        return entry.pool;
      }
      this.#close(entry.pool);
    }
    const pool = new OriginPool(target, this.#limits, this.#resolveAll);
    this.#open.set(credentialId, { target, pool });
    this.#closeOldest();
    return pool;
  }

  /** Calls of a credential that are running or waiting. */
  callsOf(credentialId: string): number {
    return this.#open.get(credentialId)?.pool.calls ?? 0;
  }

  /** Closes the pool of a credential that is no more. */
  forget(credentialId: string): void {
    const entry = this.#open.get(credentialId);
    if (entry === undefined) return;
    this.#open.delete(credentialId);
    this.#close(entry.pool);
  }

  /** Waits for running calls, then closes everything. */
  async close(): Promise<void> {
    const pools = this.#takeAll();
    await Promise.all(pools.map((pool) => pool.dispatcher.close()));
  }

  /** Closes everything now; running calls hear `aborted` or `reset`. */
  async destroy(): Promise<void> {
    const pools = this.#takeAll();
    await Promise.all(pools.map((pool) => pool.dispatcher.destroy()));
  }

  get size(): number {
    return this.#open.size;
  }

  #closeOldest(): void {
    if (this.#open.size <= this.#limits.poolsMax) return;
    const oldest = this.#open.keys().next();
    if (oldest.done !== true) this.forget(oldest.value);
  }

  #close(pool: OriginPool): void {
    this.#closing.add(pool);
    void pool.dispatcher.close().finally(() => this.#closing.delete(pool));
  }

  #takeAll(): OriginPool[] {
    const pools = [...this.#open.values()].map((entry) => entry.pool);
    this.#open.clear();
    return [...pools, ...this.#closing];
  }
}
