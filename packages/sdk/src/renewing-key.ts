/**
 * A key that its holder renews before it ends, under running calls.
 *
 * - It is renewed between 75 and 80 % of its life, spread by chance so that a fleet does not come at once, by one request
 *   at a time however many callers there are. What fails is tried again with growing pauses until the key's end.
 * - A lost answer costs nothing: the renewal is repeated under the same Idempotency-Key and gives the same new key.
 * - `onRenewed` gets the new key before calls do. While it has not stored it, calls use the old one, which the grace
 *   period keeps alive; shortly before that ends the new one is taken all the same: better used than lost.
 * - A call that has set off goes on with the key it took.
 */
import { discard } from './answer-text.ts';
import { KeyfoldClient, type KeyfoldClientOptions, newIdempotencyKey } from './control-client.ts';
import { AuthenticationError, ConflictError, KeyfoldError, toKeyfoldError } from './errors.ts';
import { type HeldKey, heldFromCreated, heldFromRotated, lookUpKey } from './held-key.ts';
import { Handover, type RenewalFailure, type RenewedKey, warnOfFailure } from './key-handover.ts';
import { lastsLonger, nextAttemptMs, renewalTimeMs } from './renewal-schedule.ts';
import { type FetchInit, type FetchInput, isRepeatable } from './repeatable.ts';
import { sendWithKey } from './send-with-key.ts';
import type { ServerClock } from './server-clock.ts';
import { type Timing, systemTiming } from './timing.ts';
import type { CreatedKey } from './wire.ts';

export interface RenewingKeyOptions extends Omit<KeyfoldClientOptions, 'key'> {
  /** The key, or the answer to its creation. */
  readonly key: string | CreatedKey;
  /** Stores the new key. Awaited before calls use it, and called again until it succeeds. */
  readonly onRenewed?: ((renewed: RenewedKey) => void | Promise<void>) | undefined;
  /** Told of everything that goes wrong on the way; `console.warn` unless given. */
  readonly onFailure?: ((failure: RenewalFailure) => void) | undefined;
  /**
   * Reads the key from where several holders keep it: a file of `keyfold agent`, a secret store. Asked before each renewal,
   * and when the key turns out to be expired. Let all holders but one be `reloadOnly`.
   */
  readonly reload?: (() => string | Promise<string>) | undefined;
  /** Never renews, and waits for `reload` to bring the key that another holder has renewed. */
  readonly reloadOnly?: boolean | undefined;
  /** How long the replaced key goes on working; the server's 300 s unless given. */
  readonly graceSeconds?: number | undefined;
}

/** The wall clock may jump and laptops sleep: no timer runs longer than this before the time is read again. */
const LOOK_AGAIN_MS = 3_600_000;
/** Calls that find the key expired ask for another no more often than this. */
const RECOVERY_PAUSE_MS = 10_000;

export class RenewingKey implements Disposable, AsyncDisposable {
  /**
   * Sends a request with the key that is current: hand it to an SDK in place of `fetch`, with anything as `apiKey`. Only
   * the gateway gets the key; other origins are refused with `TypeError`. A 401 `key_expired` makes it look for a newer key
   * and repeat the request once.
   */
  readonly fetch: typeof globalThis.fetch = (input, init) => this.#call(input, init);
  readonly #options: RenewingKeyOptions;
  readonly #client: KeyfoldClient;
  readonly #timing: Timing;
  #held: HeldKey;
  #renewal: Promise<void> | undefined;
  /** Of the renewal that is due. It stays until there is a new key: the answer to an attempt may have been lost. */
  #idempotencyKey: string | undefined;
  #failures = 0;
  #isStopped = false;
  #recoverFromMs = -Infinity;
  #handover: Handover | undefined;
  #callOff: () => void = () => undefined;

  /**
   * Learns how long the key lives. Throws `AuthenticationError` when it is not valid. `clock` is what is known of the
   * server's already.
   */
  static async open(options: RenewingKeyOptions, clock?: ServerClock): Promise<RenewingKey> {
    const { key, reload, reloadOnly } = options;
    if (reloadOnly === true && reload === undefined) throw new TypeError('reloadOnly needs reload');
    const secret = typeof key === 'string' ? key : key.api_key;
    const client = new KeyfoldClient({ ...options, key: secret }, clock);
    const held = typeof key === 'string' ? await lookUpKey(client, key) : heldFromCreated(key);
    return new RenewingKey(options, client, held);
  }

  private constructor(options: RenewingKeyOptions, client: KeyfoldClient, held: HeldKey) {
    this.#options = options;
    this.#timing = options.timing ?? systemTiming;
    this.#held = held;
    this.#client = client.withKey(() => this.#held.secret);
    this.#arm(renewalTimeMs(held, this.#timing.random()));
  }

  /** The key to use now. */
  current(): string {
    return this.#held.secret;
  }

  get keyId(): string {
    return this.#held.keyId;
  }

  /** When the current key ends unless it is renewed. */
  get expiresAt(): Date | undefined {
    return toDate(this.#held.endsAtMs);
  }

  /**
   * Renews now, or joins the renewal under way; resolves once the new key is the current one. Throws a `KeyfoldError`:
   * `ConflictError` while the key before this one is still in its grace.
   */
  renew(): Promise<void> {
    this.#renewal ??= this.#replace().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  /** Ends the timers. Resolves when a renewal under way has ended, so that no new key is lost. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#callOff();
    this.#handover?.stop();
    await this.#renewal?.catch(() => undefined);
  }

  [Symbol.dispose](): void {
    void this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #arm(dueMs: number | undefined): void {
    this.#callOff();
    if (this.#isStopped || dueMs === undefined) return;
    const delayMs = Math.min(Math.max(0, dueMs - this.#client.clock.nowMs()), LOOK_AGAIN_MS);
    const look = () => {
      if (this.#client.clock.nowMs() < dueMs) this.#arm(dueMs);
      else void this.#renewWhenDue();
    };
    this.#callOff = this.#timing.schedule(look, delayMs, 'background');
  }

  async #renewWhenDue(): Promise<void> {
    try {
      await this.renew();
    } catch (error) {
      const retryAtMs = nextAttemptMs(this.#held, {
        error,
        failures: ++this.#failures,
        nowMs: this.#client.clock.nowMs(),
        random: this.#timing.random(),
        canReload: this.#options.reload !== undefined,
      });
      this.#tell({ stage: 'renewal', error, retryAt: toDate(retryAtMs) });
      this.#arm(retryAtMs);
    }
  }

  async #replace(): Promise<void> {
    const before = this.#held;
    const next = await this.#obtain();
    this.#idempotencyKey = undefined;
    if (next.renewed !== undefined) await this.#handOver(next.renewed);
    this.#held = next.held;
    this.#failures = 0;
    if (lastsLonger(next.held, before)) {
      this.#arm(renewalTimeMs(next.held, this.#timing.random()));
      return;
    }
    this.#callOff();
    const message = 'The key as a whole ends then: renewing it does not make it last longer.';
    const error = new KeyfoldError({ code: 'key_ends', message });
    this.#tell({ stage: 'renewal', error, retryAt: undefined });
  }

  async #obtain(): Promise<{ readonly held: HeldKey; readonly renewed?: RenewedKey }> {
    const { graceSeconds, reloadOnly } = this.#options;
    const known = await this.#reload();
    if (known !== undefined) return { held: known };
    if (reloadOnly === true) {
      throw new KeyfoldError({ code: 'not_renewed', message: 'There is no newer key to reload yet.' });
    }
    this.#idempotencyKey ??= newIdempotencyKey();
    try {
      const rotated = await this.#client.keys.rotateSelf(
        graceSeconds === undefined ? {} : { grace_seconds: graceSeconds },
        { idempotencyKey: this.#idempotencyKey },
      );
      const held = heldFromRotated(rotated, this.#client.clock.nowMs());
      const renewed = {
        key: held.secret,
        keyId: held.keyId,
        version: rotated.version,
        expiresAt: toDate(held.endsAtMs),
        previousExpiresAt: new Date(rotated.previous_expires_at),
      };
      return { held, renewed };
    } catch (error) {
      const isReplaced = error instanceof ConflictError || error instanceof AuthenticationError;
      const newer = isReplaced ? await this.#reload() : undefined;
      if (newer === undefined) throw error;
      return { held: newer };
    }
  }

  /** The key that another holder keeps fresh, where it is another than ours. */
  async #reload(): Promise<HeldKey | undefined> {
    try {
      const secret = (await this.#options.reload?.())?.trim();
      if (secret === undefined || secret === this.#held.secret) return undefined;
      return await lookUpKey(this.#client, secret);
    } catch (error) {
      this.#tell({ stage: 'reloading', error, retryAt: undefined });
      return undefined;
    }
  }

  /** Resolves when the new key may be used. An older one that is still not stored no longer matters. */
  #handOver(renewed: RenewedKey): Promise<void> {
    this.#handover?.stop();
    this.#handover = new Handover({
      renewed,
      store: (key) => this.#options.onRenewed?.(key),
      tell: (failure) => {
        this.#tell(failure);
      },
      timing: this.#timing,
      nowMs: () => this.#client.clock.nowMs(),
    });
    if (this.#isStopped) this.#handover.stop();
    return this.#handover.run();
  }

  async #call(input: FetchInput, init: FetchInit): Promise<Response> {
    const held = this.#held;
    const response = await this.#send(held, input, init);
    if (response.status !== 401 || !isRepeatable(input, init)) return response;
    if ((await toKeyfoldError(response.clone())).code !== 'key_expired') return response;
    const fresh = await this.#replaceExpired(held);
    if (fresh === held) return response;
    await discard(response);
    return this.#send(fresh, input, init);
  }

  #send(held: HeldKey, input: FetchInput, init: FetchInit): Promise<Response> {
    const { fetch } = this.#options;
    return sendWithKey(input, init, { key: held.secret, origin: this.#client.origin, fetch });
  }

  /** The key to repeat a call with; the expired one when there is no other. */
  async #replaceExpired(expired: HeldKey): Promise<HeldKey> {
    const nowMs = this.#timing.monotonicMs();
    const mayAsk = this.#renewal !== undefined || nowMs >= this.#recoverFromMs;
    if (this.#held !== expired || !mayAsk) return this.#held;
    this.#recoverFromMs = nowMs + RECOVERY_PAUSE_MS;
    try {
      await this.renew();
    } catch (error) {
      this.#tell({ stage: 'renewal', error, retryAt: undefined });
    }
    return this.#held;
  }

  #tell(failure: RenewalFailure): void {
    const { onFailure = warnOfFailure } = this.#options;
    try {
      onFailure(failure);
    } catch {
      // Whoever was to be told of failures has failed: there is nobody else to tell, and the key must be renewed.
    }
  }
}

function toDate(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}
