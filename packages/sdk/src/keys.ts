/** Keys from the owner's side and from the holder's: create, rotate, validate, and hold one that renews itself. */
import { KeyfoldClient, type KeyfoldClientOptions } from './control-client.ts';
import type { CallOptions } from './requester.ts';
import { RenewingKey, type RenewingKeyOptions } from './renewing-key.ts';
import type { CreateKeyBody, CreatedKey, RotatedKey, Validation } from './wire.ts';

export interface RotateOptions extends CallOptions {
  /** How long the replaced version goes on working; the server's 300 s unless given. */
  readonly graceSeconds?: number | undefined;
}

/**
 * With an admin key it creates and rotates; without one it still validates and renews keys that it is given. Everything
 * else that can be done to a key is at `client.keys`.
 */
export class KeyManager {
  readonly client: KeyfoldClient;
  readonly #options: KeyfoldClientOptions;

  /** Throws `TypeError` for a `baseUrl` or a `key` that cannot be used. */
  constructor(options: KeyfoldClientOptions) {
    this.#options = options;
    this.client = new KeyfoldClient(options);
  }

  /** A key whose versions end after `rotation_interval` (a day unless given) and its grace, unless `auto_rotate` is false. */
  create(body: CreateKeyBody, options: CallOptions = {}): Promise<CreatedKey> {
    return this.client.keys.create({ auto_rotate: true, ...body }, options);
  }

  /** A new version at once; the old one works on for the grace period, so that nothing goes down. */
  rotate(keyId: string, { graceSeconds, ...options }: RotateOptions = {}): Promise<RotatedKey> {
    const body = graceSeconds === undefined ? {} : { grace_seconds: graceSeconds };
    return this.client.keys.rotate(keyId, body, options);
  }

  /** Is the key good, and how many calls could it start now (`remaining_quota`)? That it is bad is an answer, not an error. */
  validate(key: string, options: CallOptions = {}): Promise<Validation> {
    return this.client.keys.validate(key, options);
  }

  /** Holds a key of this gateway and renews it in time. Throws `AuthenticationError` when it is not valid. */
  renewing(options: Omit<RenewingKeyOptions, 'baseUrl'>): Promise<RenewingKey> {
    const { key, fetch, ...shared } = this.#options;
    // A fetch that signs does so for the manager's own key.
    const kept = key === undefined ? undefined : fetch;
    // What is known of the server's clock was learned by this manager's time.
    const clock = options.timing === undefined ? this.client.clock : undefined;
    return RenewingKey.open({ ...shared, fetch: kept, ...options }, clock);
  }
}
