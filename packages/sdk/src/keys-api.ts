/** The calls that concern keys, one method each. What they take and give is the API's own JSON. */
import type { CallOptions, Requester } from './requester.ts';
import type {
  CreateChildBody,
  CreateKeyBody,
  CreatedKey,
  Key,
  ListKeysQuery,
  Page,
  RotateBody,
  RotateSigningSecretBody,
  RotatedKey,
  RotatedSigningSecret,
  UpdateKeyBody,
  Validation,
  VerifyBody,
  Verification,
} from './wire.ts';
import { AuthenticationError, PermissionError } from './errors.ts';

export class KeysApi {
  readonly #client: Requester;

  constructor(client: Requester) {
    this.#client = client;
  }

  /** The answer holds the key itself, this once. Repeated over lost answers, it still makes one key. */
  create(body: CreateKeyBody, options: CallOptions = {}): Promise<CreatedKey> {
    return this.#client.request('POST', '/v1/keys', { ...options, body });
  }

  /** One page, newest first. */
  list(query: ListKeysQuery = {}, { signal }: CallOptions = {}): Promise<Page<Key>> {
    return this.#client.request('GET', '/v1/keys', { signal, query: { ...query } });
  }

  get(id: string, { signal }: CallOptions = {}): Promise<Key> {
    return this.#client.request('GET', pathOf(id), { signal });
  }

  /** What is not named stays; `null` removes. */
  update(id: string, body: UpdateKeyBody, { signal }: CallOptions = {}): Promise<Key> {
    return this.#client.request('PATCH', pathOf(id), { signal, body });
  }

  /** At once and for good, every version of it. */
  revoke(id: string, { signal }: CallOptions = {}): Promise<Key> {
    return this.#client.request('DELETE', pathOf(id), { signal });
  }

  /** Adds a version; what was live goes on working for the grace period. */
  rotate(id: string, body: RotateBody = {}, options: CallOptions = {}): Promise<RotatedKey> {
    return this.#client.request('POST', `${pathOf(id)}/rotate`, { ...options, body });
  }

  /** Rotates the key that this client sends. `ConflictError`: it was rotated already, and the newer one is in use. */
  rotateSelf(body: RotateBody = {}, options: CallOptions = {}): Promise<RotatedKey> {
    return this.#client.request('POST', '/v1/keys/self/rotate', { ...options, body });
  }

  /** Makes a short-lived key that may do no more than the one that this client sends. */
  createChild(body: CreateChildBody = {}, options: CallOptions = {}): Promise<CreatedKey> {
    return this.#client.request('POST', '/v1/keys/self/children', { ...options, body });
  }

  /** Lets a replaced version work for `graceSeconds` from now, longer or shorter than it would; 0 ends it. */
  setVersionEnd(
    id: string,
    of: { readonly version: number; readonly graceSeconds: number },
    { signal }: CallOptions = {},
  ): Promise<Key> {
    const { version, graceSeconds } = of;
    if (!Number.isSafeInteger(version)) throw new TypeError('a version is a whole number');
    const body = { grace_seconds: graceSeconds };
    return this.#client.request('PATCH', `${pathOf(id)}/versions/${version}`, { signal, body });
  }

  /** The old secret goes on verifying for the grace period. */
  rotateSigningSecret(
    id: string,
    body: RotateSigningSecretBody = {},
    options: CallOptions = {},
  ): Promise<RotatedSigningSecret> {
    return this.#client.request('POST', `${pathOf(id)}/signing-secret/rotate`, { ...options, body });
  }

  /** What the gateway says of a key, this client's own unless another is given. That it is bad is an answer, not an error. */
  async validate(key?: string, { signal }: CallOptions = {}): Promise<Validation> {
    const client = key === undefined ? this.#client : this.#client.withKey(key);
    try {
      return await client.request('GET', '/v1/keys/validate', { signal });
    } catch (error) {
      if (!(error instanceof AuthenticationError || error instanceof PermissionError)) throw error;
      return { valid: false, error: { code: error.code, message: error.message } };
    }
  }

  /** For services that want Keyfold to check a key that was presented to them. Nothing is consumed. */
  verify(body: VerifyBody, options: CallOptions = {}): Promise<Verification> {
    return this.#client.request('POST', '/v1/keys/verify', { ...options, body });
  }
}

function pathOf(id: string): string {
  // Anything else could lead to another path.
  if (!/^[A-Za-z0-9_-]{1,100}$/.test(id)) throw new TypeError('that is not the id of a key');
  return `/v1/keys/${id}`;
}
