/** A key in hand and how long it lives, as the server's answers tell it. */
import { type KeyKind, parseSecret } from '@keyfold/protocol';
import type { KeyfoldClient } from './control-client.ts';
import { UnavailableError } from './errors.ts';
import type { CreatedKey, RotatedKey, ValidKey } from './wire.ts';

export interface HeldKey {
  readonly secret: string;
  readonly keyId: string;
  /** When its version was made. By the server's clock. */
  readonly startsAtMs: number;
  /** `undefined` for a key that does not end. */
  readonly endsAtMs: number | undefined;
}

/** Asks the gateway how long the key lives. Throws `AuthenticationError` for one that is not valid. */
export async function lookUpKey(client: KeyfoldClient, secret: string): Promise<HeldKey> {
  const found = await client.withKey(secret).request<ValidKey>('GET', '/v1/keys/validate');
  return {
    secret,
    keyId: found.key_id,
    // A gateway of an older version does not tell.
    startsAtMs: readTime(found.issued_at) ?? client.clock.nowMs(),
    endsAtMs: readTime(found.expires_at),
  };
}

export function heldFromCreated(created: CreatedKey): HeldKey {
  const [version] = created.versions;
  const ends = [readTime(created.expires_at), readTime(version?.expires_at)].filter(
    (end) => end !== undefined,
  );
  return {
    secret: created.api_key,
    keyId: created.id,
    startsAtMs: readTime(version?.created_at) ?? Date.parse(created.created_at),
    endsAtMs: ends.length === 0 ? undefined : Math.min(...ends),
  };
}

/** Throws `UnavailableError` where the answer holds no key: what goes into a header must be one. */
export function heldFromRotated(rotated: RotatedKey, nowMs: number): HeldKey {
  const kind: KeyKind | 'sig' | undefined = parseSecret(rotated.new_api_key);
  if (kind === undefined || kind === 'sig') {
    throw new UnavailableError({ code: 'not_keyfold', message: 'The answer to the rotation holds no key.' });
  }
  const { new_api_key: secret, key_id: keyId } = rotated;
  return { secret, keyId, startsAtMs: nowMs, endsAtMs: readTime(rotated.expires_at) };
}

function readTime(text: string | null | undefined): number | undefined {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}
